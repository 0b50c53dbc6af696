"""Which published partitions are stale: made from something that is not what is published, landed, or declared now.

A partition is compared with what it was made from: the content digests of the partitions that it read, the landed
files, the version of its step's code, the settings and keys of source files that it depends on. Digests cut a chain
off: a partition that was made again and came out equal leaves what follows as it is. A partition that stands on a stale
one is stale too, for that reason.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pipeline.orchestration.graph import Part
from pipeline.orchestration.steps import NIGHT
from pipeline.runtime.days import shift
from pipeline.runtime.errors import StaleError
from pipeline.runtime.settings import Settings
from pipeline.sources.landing import IDENTITY
from pipeline.sources.ledger import Changes, Seen, changes, event_files, item_files
from pipeline.storage import provenance
from pipeline.storage.arrivals import lacking
from pipeline.storage.inputs import Pins
from pipeline.storage.provenance import Days, Provenance
from pipeline.storage.publications import Publication
from pipeline.storage.recipe import recipe_of
from pipeline.tables.registry import EVENTS, IDENTITIES, ITEMS, RAW_EVENTS

if TYPE_CHECKING:
    import polars as pl

LOOKBACK_DAYS = 3  # of sessions, see spark_jobs/events/sessions.py
NO_FILES: dict[str, Seen] = {}
MANY = 3  # reasons of one kind that are named one by one


@dataclass(frozen=True)
class Stale:
    """A partition that is not what it would be if it were made now, and why.

    `follows`: only because it stands on stale partitions; it may come out as it is. `missing`: it is not published at
    all, though it should be. `waiting`: it cannot be made yet, since its day has landed in part.
    """

    table: str
    ds: str
    reasons: tuple[str, ...]
    follows: bool = False
    missing: bool = False
    waiting: bool = False

    def __str__(self) -> str:
        return f"{self.table} ds={self.ds}: {'; '.join(self.reasons)}"


class Lineage:
    """The published partitions of a home and what they were made from, as of one look.

    `tables`: those that are looked at, with all that they were made from; by default every table of a night.
    """

    def __init__(self, settings: Settings, tables: Sequence[str] = ()) -> None:
        self.settings = settings
        self.pins = Pins(settings)
        self.parts = _parts_of(tables)
        self.tables = [table for part in self.parts for table in part.writes]
        self._found: dict[tuple[str, str], Stale | None] = {}

    @cached_property
    def entries(self) -> dict[tuple[str, str, str], Provenance]:
        return provenance.entries(self.settings, self.tables)

    @cached_property
    def files(self) -> dict[str, dict[str, dict[str, Seen]]]:
        """What lies in landing/, for the tables that are made of it."""
        return {RAW_EVENTS.name: event_files(self.settings), ITEMS.name: item_files(self.settings)}

    @cached_property
    def identity_rows(self) -> "pl.DataFrame | None":
        """The identity map as it is now, as pseudonyms; None where there is none, or none that can be read."""
        if not (self.settings.landing / IDENTITY).exists():
            return None
        from pipeline.sources.identity import readable_map  # Polars: a fifth of a second, for homes that have a map

        return readable_map(self.settings)

    @cached_property
    def recipes(self) -> dict[str, dict]:
        return {table: recipe_of(self.settings, table) for table in self.tables}

    def days(self, table: str) -> dict[str, Publication]:
        """The published days of a table."""
        return self.pins.days(table)

    @cached_property
    def stale(self) -> list[Stale]:
        """Every stale or missing partition, by step, then by day: the order in which they are made again."""
        found = list(self._missing())
        for part in self.parts:
            # Oldest first, so that a state's chain is known when a later day asks for it.
            partitions = sorted((ds, table) for table in part.writes for ds in self.days(table))
            found += [it for ds, table in partitions if (it := self._of(table, ds))]
        return found

    def held(self) -> list[tuple[str, str]]:
        """Partitions that a rollback brought back by hand: they stay until their day is run again."""
        return [(table, ds) for table in self.tables for ds, it in self.days(table).items() if it.restored]

    def unknown(self) -> list[tuple[str, str]]:
        """Partitions that a version before provenance was kept has published: what they are made from is not known."""
        return [
            (table, ds)
            for table in self.tables
            for ds, it in self.days(table).items()
            if not self._entry(table, ds, it)
        ]

    def of(self, table: str, ds: str) -> Stale | None:
        """Why a published partition is stale; None when it is fresh, unknown, or not published."""
        return next((it for it in self.stale if (it.table, it.ds) == (table, ds) and not it.missing), None)

    def require_fresh(self, table: str, ds: str) -> None:
        """Raises StaleError when a published partition is stale: nothing may be built on it."""
        if stale := self.of(table, ds):
            raise StaleError(f"{stale}; run `python -m pipeline repair --to {ds}` first")

    def stale_before(self, ds: str, states: Sequence[str]) -> list[Stale]:
        """Stale partitions that a night of `ds` would build on: events of the days that it looks back on, and the
        newest earlier day of each of `states`."""
        newest = {table: max((day for day in self.days(table) if day < ds), default="") for table in states}
        oldest = shift(ds, -max(self.settings.dedup_days, LOOKBACK_DAYS))
        return [
            it
            for it in self.stale
            if newest.get(it.table) == it.ds or (it.table == EVENTS.name and oldest <= it.ds < ds)
        ]

    def landing_changes(self) -> dict[str, Changes]:
        """By day that `raw_events` is published of: what happened to its landed files since. Days without are left
        out."""
        found = {}
        for ds, it in self.days(RAW_EVENTS.name).items():
            if entry := self._entry(RAW_EVENTS.name, ds, it):
                one = changes(self.settings, entry.files, self.files[RAW_EVENTS.name].get(ds, NO_FILES))
                if one != Changes():
                    found[ds] = one
        return found

    def late_files(self) -> list[str]:
        """Landed files that the rows of their day do not hold and a repair reads, each with its size and time: those of
        loaded days, and of complete days before the newest of them."""
        late = {ds: {*it.landed, *it.changed} for ds, it in self.landing_changes().items()}
        never = [ds for ds in self.never_loaded() if ds < max(self.days(RAW_EVENTS.name), default="")]
        lacks = lacking(self.settings, never)
        late |= {ds: set(self.files[RAW_EVENTS.name][ds]) for ds in never if ds not in lacks}
        seen = self.files[RAW_EVENTS.name]
        return [f"{path} ({seen[ds][path].size} bytes, {seen[ds][path].modified})" for ds in late for path in late[ds]]

    def never_loaded(self) -> list[str]:
        """Landed days that `raw_events` is not published of."""
        gone = self.pins.gone(RAW_EVENTS.name)
        return sorted(
            ds for ds in self.files[RAW_EVENTS.name] if ds not in self.days(RAW_EVENTS.name) and ds not in gone
        )

    def _missing(self) -> Iterator[Stale]:
        """What every landed day should have and has not."""
        if RAW_EVENTS.name not in self.tables:
            return
        never = self.never_loaded()
        lacks = lacking(self.settings, never)
        for ds in never:
            said = f"landed in part: {'; '.join(lacks[ds])}" if ds in lacks else "landed, never loaded"
            yield Stale(RAW_EVENTS.name, ds, (said,), missing=True, waiting=ds in lacks)
        loaded = set(self.days(RAW_EVENTS.name))
        newest = max(loaded, default="")
        states = [table for part in self.parts if not part.every_day for table in part.writes]
        if not any(newest in self.days(table) for table in states):
            loaded.discard(newest)  # it is still being made, or its night says what is wrong with it
        for part in self.parts:
            for table in part.writes if part.every_day else ():
                gone = self.pins.gone(table)
                for ds in sorted(loaded - self.days(table).keys()):
                    if ds not in gone:
                        yield Stale(table, ds, ("raw_events is published, this is not",), missing=True)

    def _of(self, table: str, ds: str) -> Stale | None:
        if (table, ds) not in self._found:
            self._found[table, ds] = None  # of a circle, which only a damaged record could have
            self._found[table, ds] = self._judged(table, ds)
        return self._found[table, ds]

    def _judged(self, table: str, ds: str) -> Stale | None:
        published = self.days(table)[ds]
        entry = self._entry(table, ds, published)
        if entry is None or published.restored:
            return None
        own = [*self._recipe_reasons(entry), *self._file_reasons(entry), *self._identity_reasons(entry)]
        for name, read in entry.inputs.items():
            own += self._moved_reasons(name, read)
        if own:
            return Stale(table, ds, tuple(own))
        follows = [
            f"made from {name} ds={day}, which is stale"
            for name, read in entry.inputs.items()
            if name in self.tables
            for day in read.days
            if (name, day) != (table, ds) and day in self.days(name) and self._of(name, day)
        ]
        return Stale(table, ds, tuple(_shortened(follows)), follows=True) if follows else None

    def _entry(self, table: str, ds: str, it: Publication) -> Provenance | None:
        return self.entries.get((table, ds, it.digest))

    def _recipe_reasons(self, entry: Provenance) -> Iterator[str]:
        was, now = entry.recipe, self.recipes[entry.table]
        if was.get("version") != now.get("version"):
            yield f"made by version {was.get('version')} of its step, which is now {now.get('version')}"
        settings, current = _table(was, "settings"), _table(now, "settings")
        for name, value in current.items():
            if name in settings and settings[name] != value:
                yield f"made with TIDEMARK_{name.upper()}={settings[name]}, which is now {value}"
        used = {str(file["platform"]) for file in entry.files}
        sources, current = _table(was, "sources"), _table(now, "sources")
        for platform, digest in sources.items():
            matters = not entry.files or platform in used
            if matters and platform in current and current[platform] != digest:
                yield f"the source file of {platform} has changed"

    def _file_reasons(self, entry: Provenance) -> list[str]:
        if entry.table not in self.files:
            return []
        found = self.files[entry.table]
        days = [entry.ds] if entry.table == RAW_EVENTS.name else self._drop_days(entry, found)
        reasons: list[str] = []
        for ds in days:
            read = [file for file in entry.files if file["ds"] == ds]
            changed = changes(self.settings, read, found.get(ds, NO_FILES))
            # A catalogue drop that has vanished takes nothing back: what it said is in the state since.
            vanished = self.settings.forget_vanished and entry.table == RAW_EVENTS.name
            reasons += changed.reasons(vanished)
        return _shortened(reasons)

    def _identity_reasons(self, entry: Provenance) -> Iterator[str]:
        """Changes of the identity map that it dates back; others count from the next load on."""
        if entry.table != IDENTITIES.name or self.identity_rows is None or not entry.files:
            return
        from pipeline.sources.identity import dated_digest

        said = {str(it["sha256"]) for it in entry.files if it["ds"] == entry.ds}
        if said != {dated_digest(self.identity_rows, entry.ds)}:
            yield f"{IDENTITY} says otherwise by now about this day or one before"

    def _drop_days(self, entry: Provenance, found: dict[str, dict[str, Seen]]) -> list[str]:
        """The days whose catalogue drops a partition of `items` was made of: those since the state it went on from."""
        past = entry.inputs.get(ITEMS.name)
        before = max(past.days, default="") if past else ""
        return sorted(ds for ds in found if before < ds <= entry.ds)

    def _moved_reasons(self, name: str, read: Days) -> list[str]:
        now = self.days(name)
        moved = provenance.moved(read, now, self.pins.gone(name))
        said = []
        for ds in moved:
            if ds not in now:
                said.append(f"{name} ds={ds} is not published any more")
            elif ds not in read.days:
                said.append(f"{name} ds={ds} was published since")
            else:
                said.append(f"{name} ds={ds} was published anew by run {now[ds].run}")
        return _shortened(said)


def _parts_of(tables: Sequence[str]) -> list[Part]:
    """The parts that write the tables, after those of all that they read; by default of the whole night."""
    parts = [part for step in NIGHT for part in step.parts if part.writes and not part.record]
    if not tables:
        return parts
    wanted = set(tables)
    for part in reversed(parts):  # those that are read are declared before
        if wanted & set(part.writes):
            wanted |= set(part.reads)
    return [part for part in parts if wanted & set(part.writes)]


def _shortened(reasons: list[str]) -> list[str]:
    if len(reasons) <= MANY:
        return reasons
    return [*reasons[:MANY], f"and {len(reasons) - MANY} more of the kind"]


def _table(recipe: dict, name: str) -> dict:
    found = recipe.get(name) or {}
    assert isinstance(found, dict)
    return found
