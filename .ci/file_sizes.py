"""Print the longest product files, and fail when one has more than 400 lines.

    python .ci/file_sizes.py

A file is one idea. Above 400 lines it is usually two.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CAP = 400
SHOWN = 5


def main() -> None:
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    paths = [path for path in listed.stdout.split() if not path.startswith("tests/")]
    lines = {path: len((ROOT / path).read_text().splitlines()) for path in paths if (ROOT / path).exists()}
    for path in sorted(lines, key=lambda it: -lines[it])[:SHOWN]:
        print(f"{lines[path]:5} {path}")
    over = [f"{path}: {number} lines, at most {CAP}" for path, number in lines.items() if number > CAP]
    if over:
        sys.exit("error: files that are two ideas?\n" + "\n".join(over))


if __name__ == "__main__":
    main()
