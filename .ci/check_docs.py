"""Check the pages: links and anchors lead somewhere, named files, modules and settings exist, prose wraps at 120.

python .ci/check_docs.py

Looks at README.md, CHANGELOG.md and docs/; fetches nothing. Pages that code, docstrings and comments name must exist.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WIDTH = 120
# A history names what there was then.
HISTORY = {"CHANGELOG.md"}
WRITTEN = {"docs/reference/performance.md"}  # by `make bench`, on the machine that it describes
FOLDERS = ("pipeline/", "training/", "spark_jobs/", "dags/", "tests/", "docs/", "docker/", ".ci/")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
MODULE = re.compile(r"python -m ((?:pipeline|training|spark_jobs|tests)\.[\w.]+)")
PAGE = re.compile(r"\bdocs/[\w/]+\.(?:md|png)\b")


def main() -> None:
    files = tracked()
    pages = [name for name in files if name.endswith(".md") and (name.startswith("docs/") or "/" not in name)]
    found = [f"{page}:{line}: {text}" for page in pages for line, text in faults(page)]
    for name in (name for name in files if name.endswith((".py", ".toml", ".yaml", "Makefile"))):
        for number, line in enumerate((ROOT / name).read_text().splitlines(), 1):
            found += [f"{name}:{number}: no page {page}" for page in PAGE.findall(line) if not exists(page)]
    if found:
        sys.exit("\n".join(["error: docs:", *found]))
    print(f"{len(pages)} pages: every link leads somewhere")


def exists(path: str) -> bool:
    return (ROOT / path).exists() or path in WRITTEN


def tracked() -> list[str]:
    """Every file that git tracks or would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return sorted(name for name in listed if (ROOT / name).is_file())


def faults(page: str) -> Iterator[tuple[int, str]]:
    """What is wrong in a page, with its line."""
    text = (ROOT / page).read_text()
    prose = re.sub(r"^ *```.*?^ *```", lambda code: "\n" * code[0].count("\n"), text, flags=re.S | re.M)
    for link in LINK.finditer(prose):
        if why := broken(page, link[1]):
            yield prose.count("\n", 0, link.start()) + 1, why
    if page in HISTORY:
        return
    for number, line in enumerate(text.splitlines(), 1):
        yield from ((number, why) for why in missing_names(line))
    for number, line in enumerate(prose.splitlines(), 1):
        may_be_wide = line.startswith(("|", "    ", "<!--")) or line.lstrip().startswith("| ")
        if len(line) > WIDTH and not may_be_wide:
            yield number, f"{len(line)} columns, at most {WIDTH}"


def broken(page: str, target: str) -> str:
    """Why a link leads nowhere; empty when it leads somewhere, or out of the repository."""
    if re.match(r"[a-z]+:", target):
        return ""
    path, _, anchor = target.partition("#")
    file = (ROOT / page).parent / path if path else ROOT / page
    if not file.exists():
        return f"no file {target}"
    if anchor and anchor not in anchors(file.resolve()):
        return f"no heading {target}"
    return ""


@cache
def anchors(file: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", file.read_text(), flags=re.S | re.M), re.M):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        count = sum(name == slug or re.fullmatch(rf"{re.escape(slug)}-\d+", name) is not None for name in found)
        found.add(f"{slug}-{count}" if count else slug)
    return found


def missing_names(line: str) -> Iterator[str]:
    """Files, modules and settings that a line names and that are not there."""
    for code in CODE.findall(line):
        path = code.split()[0].split("#")[0].split("::")[0].rstrip("/,:;")
        if path.startswith(FOLDERS) and not re.search(r"[*<>{}$…|]", path) and not exists(path):
            yield f"no file {path}"
    for module in MODULE.findall(line):
        file = ROOT / module.rstrip(".").replace(".", "/")
        if not file.with_suffix(".py").exists() and not (file / "__main__.py").exists():
            yield f"no module {module}"
    yield from (
        f"no setting {name}" for name in re.findall(r"\bTIDEMARK_[A-Z_]*[A-Z]\b", line) if name not in settings()
    )


@cache
def settings() -> frozenset[str]:
    """Every `TIDEMARK_*` variable that the code reads."""
    text = (ROOT / "pipeline/runtime/settings.py").read_text()
    fields = re.findall(r"^    (\w+): [\w.]+ = Field\(", text, re.M)
    return frozenset({f"TIDEMARK_{name.upper()}" for name in fields} | set(re.findall(r'"(TIDEMARK_[A-Z_]+)"', text)))


if __name__ == "__main__":
    main()
