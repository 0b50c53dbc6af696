"""Prints the longest files and fails past the caps: entrypoints 60 lines, DAGs 100, others 250.

python .ci/file_sizes.py
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHOWN = 5


def cap(path: Path) -> int:
    """Most lines that a file may have."""
    if path.parts[0] == "dags":
        return 100
    if path.parts[0] == "spark_jobs":
        entrypoint = len(path.parts) == 2 and "def main()" in (ROOT / path).read_text()
        return 60 if entrypoint else 120 if "transforms" in path.parts else 250
    return 250


def main() -> None:
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    paths = [Path(line) for line in listed.stdout.split() if not line.startswith("tests/")]
    lines = {path: len((ROOT / path).read_text().splitlines()) for path in paths}
    for path in sorted(lines, key=lambda it: -lines[it])[:SHOWN]:
        print(f"{lines[path]:5} {path}")
    over = [f"{path}: {lines[path]} lines, at most {cap(path)}" for path in lines if lines[path] > cap(path)]
    if over:
        sys.exit("error: two files that have not been told apart yet?\n" + "\n".join(over))


if __name__ == "__main__":
    main()
