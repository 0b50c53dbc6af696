"""The catalogue's tables in memory, so that thousands of publications take seconds.

Everything around them is the product's own: staging, fences, provenance, the checks of a publication, lineage, the plan
of a repair. Only the Iceberg commit is replaced: properties and files by day, changed at once.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from types import SimpleNamespace
from unittest.mock import patch

from pipeline.runtime.settings import Settings
from pipeline.storage.publications import Publication
from pipeline.tables.registry import table_named
from pipeline.tables.schema import Table


@dataclass
class Kept:
    """One table of one home: what its newest snapshot says."""

    properties: dict[str, str] = field(default_factory=dict)
    files: dict[str, list[str]] = field(default_factory=dict)
    snapshot: int = 0


class Loaded:
    """A table as `load_table` gives it: it stays as it was when it was loaded."""

    def __init__(self, kept: Kept) -> None:
        self.properties = dict(kept.properties)
        self.files = {ds: list(paths) for ds, paths in kept.files.items()}
        self.metadata = SimpleNamespace(current_snapshot_id=kept.snapshot)
        self.kept = kept

    def current_snapshot(self) -> SimpleNamespace:
        return SimpleNamespace(snapshot_id=self.metadata.current_snapshot_id)


class Catalogue:
    """The tables of every home of a test."""

    def __init__(self) -> None:
        self.tables: dict[tuple[str, str], Kept] = {}

    def load(self, settings: Settings, table: Table) -> Loaded | None:
        kept = self.tables.get((str(settings.home), table.name))
        return Loaded(kept) if kept else None

    def ensure(self, settings: Settings, table: Table) -> Loaded:
        self.tables.setdefault((str(settings.home), table.name), Kept())
        loaded = self.load(settings, table)
        assert loaded is not None
        return loaded

    def pinned_files(self, name: str, first: str, last: str, settings: Settings) -> tuple[int | None, list[str]]:
        loaded = self.load(settings, table_named(name))
        return (loaded.metadata.current_snapshot_id if loaded else None), planned_files(loaded, first, last)

    def live_files(self, settings: Settings, table: Table) -> dict[str, list[str]]:
        loaded = self.load(settings, table)
        return {ds: list(paths) for ds, paths in loaded.files.items() if paths} if loaded else {}

    def unpublish(self, settings: Settings, table: str, ds: str) -> None:
        kept = self.tables[str(settings.home), table]
        del kept.properties[f"pub.{ds}"]
        kept.files.pop(ds, None)
        kept.snapshot += 1


def replace_days(
    iceberg: Loaded, changed: dict[str, Publication], files: dict[str, list[str]], summary: dict[str, str]
) -> None:
    kept = iceberg.kept
    for ds, publication in changed.items():
        kept.files[ds] = files[ds]
        kept.properties[f"pub.{ds}"] = json.dumps(asdict(publication))
    kept.snapshot += 1


def planned_files(iceberg: Loaded | None, first: str, last: str, snapshot: int | None = None) -> list[str]:
    if iceberg is None:
        return []
    return sorted(path for ds, paths in iceberg.files.items() if first <= ds <= last for path in paths)


@contextmanager
def tables_in_memory() -> Iterator[Catalogue]:
    """While it lasts, tables are in memory."""
    catalogue = Catalogue()
    with (
        patch("pipeline.storage.inputs.load_table", catalogue.load),
        patch("pipeline.storage.inputs.planned_files", planned_files),
        patch("pipeline.storage.provenance.load_table", catalogue.load),
        patch("pipeline.storage.publish.ensure_table", catalogue.ensure),
        patch("pipeline.storage.publish._replace", replace_days),
        patch("pipeline.storage.reading.load_table", catalogue.load),
        patch("pipeline.storage.persons.pinned_files", catalogue.pinned_files),
        patch("pipeline.erasure.published.live_files", catalogue.live_files),
        patch("pipeline.erasure.published.file_schema", lambda settings, table: table.schema),
        patch("pipeline.erasure.data_files.file_schema", lambda settings, table: table.schema),
    ):
        yield catalogue
