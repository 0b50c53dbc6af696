"""Policy of the code base: import rules and file sizes hold, every module says what it is."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
MODULES = [
    path for folder in ("pipeline", "spark_jobs", "training", "dags") for path in sorted((ROOT / folder).rglob("*.py"))
]


def test_import_rules_hold() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([str(linter), "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_no_file_is_longer_than_its_cap() -> None:
    done = subprocess.run([sys.executable, ".ci/file_sizes.py"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_opens_with_a_docstring(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text())), path


def test_no_module_is_named_for_nothing() -> None:
    banned = ("util", "helper", "manager", "misc", "common")
    assert not [path for path in MODULES if any(word in path.stem for word in banned)]
