"""Policy of the pages: they lead where they say, are spelt right, and the drawings show what there is."""

import re
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from textwrap import dedent

import pytest

from pipeline.decisions.campaigns.campaign import load_campaign
from pipeline.decisions.experiments.experiment import load_experiment
from pipeline.decisions.interventions.declaration import load_declaration
from pipeline.runtime.settings import Settings
from pipeline.sources.source import load_source
from pipeline.tables.registry import TABLES

ROOT = Path(__file__).resolve().parents[3]
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
PAGES = [path for folder in (ROOT, ROOT / "docs") for path in sorted(folder.glob("*.md"))]
BELOW = sorted((ROOT / "docs").glob("*/*.md"))


def test_every_link_leads_somewhere_and_every_name_is_there() -> None:
    done = subprocess.run([sys.executable, ".ci/check_docs.py"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_words_are_spelt_right() -> None:
    speller = Path(sys.executable).with_name("codespell")
    done = subprocess.run([str(speller)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def arrows(drawing: str) -> set[tuple[str, str]]:
    """The arrows of a Mermaid flowchart whose boxes are declared on lines of their own."""
    found = set()
    for line in drawing.splitlines():
        stations = [re.findall(r"\w+", part) for part in re.sub(r"\[.*?\]", "", line).split("-->")]
        found |= {(a, b) for left, right in pairwise(stations) for a in left for b in right}
    return found


def imports() -> set[tuple[str, str]]:
    """Which package of pipeline/ imports which."""
    found = set()
    for path in sorted((ROOT / "pipeline").glob("*/**/*.py")):
        package = path.relative_to(ROOT / "pipeline").parts[0]
        found |= {(package, other) for other in re.findall(r"(?:from|import) pipeline\.(\w+)", path.read_text())}
    packages = {path.parent.name for path in (ROOT / "pipeline").glob("*/__init__.py")}
    return {(a, b) for a, b in found if a != b and b in packages}


def test_the_map_of_packages_is_what_they_import() -> None:
    drawing = ARCHITECTURE.split("```mermaid")[1].split("```")[0]
    drawn = {(a, b) for a, b in arrows(drawing) if a not in ("dags", "spark", "training")}
    real = imports()
    reached = set(drawn)
    while more := {(a, d) for a, b in reached for c, d in drawn if b == c} - reached:
        reached |= more
    assert drawn <= real, f"drawn, and not imported: {sorted(drawn - real)}"
    assert real <= reached, f"imported, and not drawn: {sorted(real - reached)}"


def test_every_table_is_on_the_page() -> None:
    hidden = {"intraday_refreshes", "hourly_judgements"}  # named in the life of a day
    drawing = ARCHITECTURE.split("## Tables")[1].split("## ")[0]
    assert not [name for name in TABLES if name not in drawing and name not in hidden]
    assert all(name in ARCHITECTURE for name in hidden)


@pytest.mark.parametrize("page", [*PAGES, *BELOW], ids=lambda path: path.name)
def test_every_command_of_a_page_exists(page: Path) -> None:
    if page.name == "CHANGELOG.md":  # tells what there was
        return
    known = commands()
    for line in re.findall(r"python -m pipeline ((?:[a-z-]+ ?)+)", page.read_text()):
        words = line.split()
        assert any(" ".join(words[:n]) in known for n in (1, 2)), f"{page.name}: no command {line}"


def commands() -> set[str]:
    """Every command of the command line, with its group."""
    sys.path.insert(0, str(ROOT / ".ci"))
    import reference

    return {" ".join(words) for words, _ in reference.walk(reference.command_tree())}


@pytest.mark.parametrize(
    ("page", "file"),
    [
        ("guides/add-a-platform.md", "sources/myshop.toml"),
        ("reference/source-files.md", "sources/shop.toml"),
        ("guides/run-a-campaign.md", "campaigns/spring.toml"),
        ("reference/campaigns.md", "campaigns/spring.toml"),
        ("guides/experiments-and-uplift.md", "experiments/banner.toml"),
        ("reference/experiments.md", "experiments/banner.toml"),
        ("reference/interventions.md", "interventions.toml"),
    ],
)
def test_the_first_declaration_of_a_page_is_accepted(page: str, file: str, tmp_path: Path) -> None:
    text = (ROOT / "docs" / page).read_text()
    found = re.search(r"^ *```toml\n(.*?)^ *```", text, re.S | re.M)
    assert found
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(dedent(found[1]))
    settings = Settings(home=tmp_path)
    readers: dict[str, Callable[[], object]] = {
        "sources": lambda: load_source(path),
        "campaigns": lambda: load_campaign(path),
        "experiments": lambda: load_experiment(settings, path.stem),
        "interventions.toml": lambda: load_declaration(settings),
    }
    assert readers[file.split("/")[0]]()
