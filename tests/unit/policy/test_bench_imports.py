"""Benches run by hand, so nothing else tells that a name they import has moved."""

import ast
from importlib.util import find_spec
from pathlib import Path

import pytest

BENCH = Path(__file__).parent / "bench"
OURS = ("pipeline", "spark_jobs", "training", "tests")


def names_of(path: Path) -> set[str]:
    """What a module binds at its top level, told without running it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.alias):
            found.add(node.asname or node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return found


def module_path(name: str) -> Path | None:
    """The file of one of our modules, or of another bench; None for a library's."""
    if (BENCH / f"{name}.py").exists():
        return BENCH / f"{name}.py"
    if name.split(".")[0] not in OURS:
        return None
    spec = find_spec(name)
    assert spec and spec.origin, f"no module {name}"
    return Path(spec.origin)


@pytest.mark.parametrize("bench", sorted(BENCH.glob("*.py")), ids=lambda path: path.stem)
def test_what_a_bench_imports_is_there(bench: Path) -> None:
    for node in ast.walk(ast.parse(bench.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and (path := module_path(node.module)):
            missing = {
                name.name
                for name in node.names
                if name.name not in names_of(path)
                and not (path.parent / f"{name.name}.py").exists()
                and not (path.parent / name.name).is_dir()
            }
            assert not missing, f"{bench.name}: {node.module} has no {sorted(missing)}"
