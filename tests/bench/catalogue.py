"""Which benches there are, and what each says of itself."""

import ast
from difflib import get_close_matches
from pathlib import Path

FOLDER = Path(__file__).parent
PREFIX = "bench_"


def names() -> list[str]:
    return sorted(path.stem.removeprefix(PREFIX) for path in FOLDER.glob(f"{PREFIX}*.py"))


def docstring(name: str) -> str:
    """Read from the file: importing a bench may take seconds."""
    return ast.get_docstring(ast.parse((FOLDER / f"{PREFIX}{name}.py").read_text())) or ""


def summary(name: str) -> str:
    """The first sentence of the docstring, on one line."""
    return " ".join(docstring(name).partition("\n\n")[0].split())


def nearest(name: str) -> str:
    """What to say of a name that is none."""
    close = get_close_matches(name.removeprefix(PREFIX), names(), 1, 0.5)
    guess = f", did you mean {close[0]}?" if close else ""
    return f"error: {name}: no bench of that name{guess} (`python -m tests.bench --list` lists them)"
