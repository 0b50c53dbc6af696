"""Templates: source files for what shops and research sets really have, each with a small made-up sample.

`source templates` lists them, `source new NAME --template T` writes one. The comment at the head of a template says
what it reads; the page docs/reference/templates.md is made of these.
"""

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files as package_files
from pathlib import Path

from pipeline.runtime.errors import UsageError

FOLDER = Path(str(package_files("pipeline"))) / "sources" / "templates"


@dataclass(frozen=True)
class Template:
    """A source file that fits a public schema. `text` is the TOML, its comment included."""

    name: str
    text: str

    @property
    def file(self) -> Path:
        return FOLDER / f"{self.name}.toml"

    @property
    def samples(self) -> Path:
        """The folder with made-up files, laid out like landing/<platform>/."""
        return FOLDER / "samples" / self.name

    @property
    def comment(self) -> list[str]:
        """The lines of the comment at the head."""
        return [line.removeprefix("# ") for line in re.match(r"(#.*\n)+", self.text)[0].splitlines()]  # type: ignore[index]

    @property
    def title(self) -> str:
        """The first sentence of the comment, in one line."""
        return " ".join(self.comment).split(": ")[0].split(". ")[0]

    @property
    def schema(self) -> str:
        """Where the public schema is described."""
        return next(line.removeprefix("Schema: ") for line in self.comment if line.startswith("Schema: "))

    def named(self, platform: str) -> str:
        """The TOML for a platform of another name."""
        renamed = self.text.replace(f'platform = "{self.name}"', f'platform = "{platform}"')
        return renamed.replace(f'path = "{self.name}/', f'path = "{platform}/')


@cache
def templates() -> dict[str, Template]:
    """All templates by name."""
    return {file.stem: Template(file.stem, file.read_text(encoding="utf-8")) for file in sorted(FOLDER.glob("*.toml"))}


def template_named(name: str) -> Template:
    """Raises UsageError for a name that is none."""
    known = templates()
    if name not in known:
        raise UsageError(f"no template {name!r}; expected one of {', '.join(known)} (see `source templates`)")
    return known[name]
