"""Benches run by hand, so nothing else shows that a name they import has moved."""

import ast
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.bench import catalogue

ROOT = Path(__file__).resolve().parents[3]
BENCH = ROOT / "tests" / "bench"
MODULES = sorted(BENCH.glob("*.py"))
OURS = ("pipeline", "spark_jobs", "training", "tests")


def names_of(path: Path) -> set[str]:
    """What a module binds at its top level, found without running it."""
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
    """The file of one of our modules; None for a library's."""
    if name.split(".")[0] not in OURS:
        return None
    spec = find_spec(name)
    assert spec and spec.origin, f"no module {name}"
    return Path(spec.origin)


def test_there_are_benches() -> None:
    assert len(catalogue.names()) >= 30
    assert {BENCH / f"bench_{name}.py" for name in catalogue.names()} < set(MODULES)


@pytest.mark.parametrize("bench", MODULES, ids=lambda path: path.stem)
def test_what_a_bench_imports_is_there_and_public(bench: Path) -> None:
    for node in ast.walk(ast.parse(bench.read_text())):
        if isinstance(node, ast.Import):
            for name in node.names:
                module_path(name.name)
        if isinstance(node, ast.ImportFrom) and node.module and (path := module_path(node.module)):
            missing = {
                name.name
                for name in node.names
                if name.name not in names_of(path)
                and not (path.parent / f"{name.name}.py").exists()
                and not (path.parent / name.name).is_dir()
            }
            assert not missing, f"{bench.name}: {node.module} has no {sorted(missing)}"
            private = {name.name for name in node.names if name.name.startswith("_")}
            assert not private, f"{bench.name}: {node.module} keeps {sorted(private)} to itself"


@pytest.mark.parametrize("bench", MODULES, ids=lambda path: path.stem)
def test_what_a_bench_takes_from_a_module_is_there(bench: Path) -> None:
    tree, modules = ast.parse(bench.read_text()), {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in OURS:
            for name in node.names:
                file = ROOT / node.module.replace(".", "/") / f"{name.name}.py"
                if file.exists():
                    modules[name.asname or name.name] = names_of(file)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            assert node.attr in modules[node.value.id], f"{bench.name}: no {ast.unparse(node)}"


@pytest.mark.parametrize("bench", MODULES, ids=lambda path: path.stem)
def test_a_bench_reaches_into_no_object(bench: Path) -> None:
    reached = [
        ast.unparse(node)
        for node in ast.walk(ast.parse(bench.read_text()))
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and not node.attr.startswith("__")
        and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"))
    ]
    assert not reached, f"{bench.name}: {reached} are private"


@pytest.mark.parametrize("bench", MODULES, ids=lambda path: path.stem)
def test_a_module_of_the_benches_has_one_name(bench: Path) -> None:
    """Imported by another name, a module is loaded twice, and its classes are not the same."""
    siblings = {path.stem for path in MODULES}
    for node in ast.walk(ast.parse(bench.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{bench.name}: an import relative to its folder"
            assert node.module not in siblings, f"{bench.name}: import tests.bench.{node.module} instead"
        elif isinstance(node, ast.Import):
            assert not siblings & {name.name for name in node.names}, f"{bench.name}: import tests.bench.… instead"
        elif isinstance(node, ast.Attribute):
            assert ast.unparse(node) != "sys.path", f"{bench.name}: changes where modules are found"


@pytest.mark.parametrize("name", catalogue.names())
def test_a_bench_says_what_it_measures_and_how_to_run_it(name: str) -> None:
    assert f"python -m tests.bench {name}" in catalogue.docstring(name)
    assert len(catalogue.summary(name)) <= 140
    assert "main" in names_of(BENCH / f"bench_{name}.py")


def test_the_headline_is_of_benches_that_there_are() -> None:
    tree = ast.parse((BENCH / "headline.py").read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "Short"]
    commands = [str(argument.value) for call in calls for argument in call.args if isinstance(argument, ast.Constant)]
    assert len(calls) >= 10
    assert {command.split()[0] for command in commands} <= set(catalogue.names())


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.bench", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_runner_lists_every_bench_on_one_line() -> None:
    done = run("--list")
    assert [line.split()[0] for line in done.stdout.splitlines()] == catalogue.names()


def test_an_unknown_bench_gets_the_nearest_name_and_exit_code_2() -> None:
    done = run("uplft")
    assert done.returncode == 2
    assert "did you mean uplift?" in done.stderr
