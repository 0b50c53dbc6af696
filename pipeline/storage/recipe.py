"""What decides the rows of a partition besides its inputs: the version of the step's code, settings, source files."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict

from pipeline.orchestration.steps import part_writing
from pipeline.runtime.settings import Settings
from pipeline.sources.landing import active_sources
from pipeline.sources.source import Source

DIGITS = 16  # hex digits of a fingerprint


def recipe_of(settings: Settings, table: str, sources: Sequence[Source] | None = None) -> dict[str, object]:
    """`version` of the part that writes the table, the `settings` that it depends on, and `sources`.

    The latter: for each source a fingerprint of what the part looks at in its file; of the active ones by default.
    Empty for a table that no step declares.
    """
    part = part_writing(table)
    if part is None:
        return {}
    recipe: dict[str, object] = {"version": part.version}
    if part.settings:
        recipe["settings"] = {name: getattr(settings, name) for name in part.settings}
    if part.sources:
        used = active_sources(settings) if sources is None else sources
        recipe["sources"] = {it.platform: _fingerprint(it, part.sources) for it in used}
    return recipe


def _fingerprint(source: Source, keys: tuple[str, ...]) -> str:
    """Of the keys of a source file, written `event` or `delivery.format`."""
    content = asdict(source)
    found = {key: _at(content, key) for key in keys}
    return hashlib.sha256(json.dumps(found, sort_keys=True, default=str).encode()).hexdigest()[:DIGITS]


def _at(content: dict, key: str) -> object:
    for name in key.split("."):
        content = content[name]
    return content
