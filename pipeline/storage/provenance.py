"""What each published partition was made from: kept in the catalogue's database, by table, day and content digest.

A job that finds the published content again notes its newer inputs under the same digest, which needs no new snapshot.
A rollback to earlier content finds what that was made from. A partition without an entry is one that a version before
this record published.
"""

import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from sqlalchemy import BigInteger, Column, Connection, String, Text, delete, insert, select, tuple_, update
from sqlalchemy import Table as SqlTable
from sqlalchemy.exc import IntegrityError

from pipeline.runtime.errors import FencedError
from pipeline.runtime.settings import Settings
from pipeline.runtime.state_database import engine, metadata
from pipeline.storage import staging
from pipeline.storage.catalog import load_table
from pipeline.storage.publications import Gone, Publication, gone_of, publications, publications_at
from pipeline.storage.staging import Input, Manifest
from pipeline.tables.registry import ITEMS, table_named

PROVENANCE = SqlTable(
    "provenance",
    metadata,
    Column("table_name", String(64), primary_key=True),
    Column("ds", String(10), primary_key=True),
    Column("digest", String(64), primary_key=True),
    Column("fence", BigInteger, nullable=False),
    Column("run", String(250), nullable=False),
    Column("content", Text, nullable=False),
)


NOTHING_GONE = Gone()


@dataclass(frozen=True)
class Days:
    """What was read of one table: `windows` of days, and the digest of each day that was there."""

    windows: list[list[str]]
    days: dict[str, str]

    def covers(self, day: str) -> bool:
        return any(first <= day <= last for first, last in self.windows)


@dataclass(frozen=True)
class Provenance:
    """What one partition was made from.

    `recipe`: see `recipe_of`, and `model`, the version that scored. `files`: the landed files, for what is read from
    landing. `seconds`: from the beginning of the attempt until it was staged, shared among the days of the attempt.
    """

    table: str
    ds: str
    digest: str
    fence: int
    run: str
    inputs: dict[str, Days] = field(default_factory=dict)
    recipe: dict[str, object] = field(default_factory=dict)
    files: list[dict] = field(default_factory=list)
    seconds: float = 0.0


def of_staged(
    settings: Settings, table: str, wanted: Mapping[str, Publication], manifests: Sequence[Manifest]
) -> list[Provenance]:
    """What each staged day was made from; several parts of it are taken together.

    Raises FencedError when two parts have read different content of the same day, or were made in different ways.
    """
    recipe = _one_recipe(table, manifests)
    read = [(name, _with_digests(settings, m, name, it)) for m in manifests for name, it in m.read().items()]
    files = [file for manifest in manifests for file in manifest.files]
    seconds = max((manifest.seconds for manifest in manifests), default=0.0) / max(len(wanted), 1)
    return [
        Provenance(
            table,
            ds,
            it.digest,
            it.fence,
            it.run,
            _inputs_of(table, ds, read),
            recipe,
            [file for file in files if file["ds"] == ds or (table == ITEMS.name and file["ds"] <= ds)],
            seconds,
        )
        for ds, it in wanted.items()
    ]


def check_unmoved(settings: Settings, made: Iterable[Provenance], manifests: Iterable[Manifest]) -> dict[str, int]:
    """Raises FencedError when an input has been published anew since it was read; else the snapshots of the inputs.

    The snapshot of an input that the same run has staged is the one in which exactly those rows are published.
    """
    tables = {name: load_table(settings, table_named(name)) for one in made for name in one.inputs}
    now = {name: publications(it) for name, it in tables.items()}
    for one in made:
        for name, read in one.inputs.items():
            for ds in moved(read, now[name], gone_of(tables[name])):
                found = f"those of run {now[name][ds].run!r}" if ds in now[name] else "none"
                raise FencedError(
                    f"{one.table} ds={one.ds}: run {one.run!r} made it from rows of {name} ds={ds} that are not the "
                    f"published ones (found {found}); run the job again"
                )
    snapshots = {}
    for manifest in manifests:
        for name, it in manifest.read().items():
            iceberg = tables.get(name)
            newest = iceberg.metadata.current_snapshot_id if iceberg else None
            snapshot = newest if it.attempt else it.snapshot
            if snapshot is not None:
                snapshots[name] = snapshot
    return snapshots


def check_read(settings: Settings, manifests: Iterable[Manifest]) -> None:
    """Raises FencedError when a day that was read is published anew: before an audit finds figures that disagree."""
    for manifest in manifests:
        for name, read in manifest.read().items():
            now = publications(load_table(settings, table_named(name))) if read.days else {}
            for ds, digest in read.days.items():
                if ds in now and now[ds].digest != digest:
                    raise FencedError(
                        f"{manifest.table}: run {manifest.run!r} made it from rows of {name} ds={ds} that run "
                        f"{now[ds].run!r} has replaced since; run the job again"
                    )


def moved(read: Days, now: Mapping[str, Publication], gone: Gone = NOTHING_GONE) -> list[str]:
    """The days whose published content is not what was read; days that maintenance took out do not count."""
    known = list(now)  # in order of days
    spans = [known[bisect_left(known, first) : bisect_right(known, last)] for first, last in read.windows]
    there = {ds: now[ds].digest for span in spans for ds in span}
    return sorted(ds for ds in read.days.keys() | there.keys() if read.days.get(ds) != there.get(ds) and ds not in gone)


def keep(settings: Settings, made: Iterable[Provenance]) -> None:
    """Keeps the entries; an entry of an attempt that began later stays."""
    made = list(made)
    try:
        _keep_all(settings, made)
    except IntegrityError:  # two attempts have found the same content at once; now the entry is there
        _keep_all(settings, made)


def fences(settings: Settings, table: str, digests: Mapping[str, str]) -> dict[str, int]:
    """The greatest fence of the attempts that found each of these contents (ds -> digest)."""
    if not digests:
        return {}
    key = tuple_(PROVENANCE.c.ds, PROVENANCE.c.digest)
    query = select(PROVENANCE.c.ds, PROVENANCE.c.fence).where(
        PROVENANCE.c.table_name == table, key.in_(list(digests.items()))
    )
    with engine(settings).connect() as connection:
        return {row.ds: row.fence for row in connection.execute(query)}


def entries(settings: Settings, tables: Iterable[str], ds: str = "") -> dict[tuple[str, str, str], Provenance]:
    """Every entry of the tables, or those of one day, by table, day and digest."""
    query = select(PROVENANCE).where(PROVENANCE.c.table_name.in_(list(tables)))
    query = query.where(PROVENANCE.c.ds == ds) if ds else query
    with engine(settings).connect() as connection:
        return {(row.table_name, row.ds, row.digest): _decoded(row) for row in connection.execute(query)}


def seconds_taken(settings: Settings) -> dict[tuple[str, str], float]:
    """How long each partition (table, ds) took to be made; (table, "") is the newest one's."""
    found: dict[tuple[str, str], float] = {}
    with engine(settings).connect() as connection:
        for row in connection.execute(select(PROVENANCE).order_by(PROVENANCE.c.fence)):
            found[row.table_name, row.ds] = found[row.table_name, ""] = json.loads(row.content)["seconds"]
    return found


Exchange = Mapping[str, tuple[str, str]]  # ds -> digest before, digest after


def copy(settings: Settings, table: str, digests: Exchange) -> None:
    """Content that replaces other content of the same origin gets the entries of that."""
    with engine(settings).connect() as connection:
        query = select(PROVENANCE).where(PROVENANCE.c.table_name == table)
        known = {(row.ds, row.digest): _decoded(row) for row in connection.execute(query)}
    found = [(known.get((ds, old)), new) for ds, (old, new) in digests.items()]
    keep(settings, [replace(entry, digest=new) for entry, new in found if entry])


def exchange_digests(settings: Settings, table: str, digests: Exchange) -> None:
    """Notes that what was made from the content before stands on the content after, without being made again.

    For a change that was made to both alike, such as an erasure.
    """

    def change(content: dict) -> bool:
        read = content["inputs"].get(table, {}).get("days", {})
        same = {ds: new for ds, (old, new) in digests.items() if read.get(ds) == old}
        read.update(same)
        return bool(same)

    rewrite(settings, change)


def exchange_files(settings: Settings, files: Mapping[str, tuple[str, Mapping[str, object]]]) -> None:
    """Notes what landed files look like since records of them were blanked.

    `files`: path -> SHA-256 before, what is changed of the entry. A file that was changed by others too stays as it was
    read: its day is stale.
    """

    def change(content: dict) -> bool:
        mine = [it for it in content["files"] if it["path"] in files and it["sha256"] == files[it["path"]][0]]
        for it in mine:
            it.update(files[it["path"]][1])
        return bool(mine)

    rewrite(settings, change)


def rewrite(settings: Settings, change: Callable[[dict], bool]) -> None:
    """Has every entry's content (`inputs`, `recipe`, `files`) changed in place; `change` says whether it did."""
    with engine(settings).begin() as connection:
        for row in connection.execute(select(PROVENANCE)).all():
            content = json.loads(row.content)
            if change(content):
                key = (
                    (PROVENANCE.c.table_name == row.table_name)
                    & (PROVENANCE.c.ds == row.ds)
                    & (PROVENANCE.c.digest == row.digest)
                )
                connection.execute(update(PROVENANCE).where(key).values(content=json.dumps(content)))


def forget(settings: Settings, table: str, kept: set[tuple[str, str]]) -> int:
    """Removes the entries of a table but those of `kept` (ds, digest); returns how many."""
    query = select(PROVENANCE.c.ds, PROVENANCE.c.digest).where(PROVENANCE.c.table_name == table)
    with engine(settings).begin() as connection:
        old = {(ds, digest) for ds, digest in connection.execute(query)} - kept
        for ds, digest in old:
            connection.execute(
                delete(PROVENANCE).where(
                    PROVENANCE.c.table_name == table, PROVENANCE.c.ds == ds, PROVENANCE.c.digest == digest
                )
            )
    return len(old)


def _with_digests(settings: Settings, manifest: Manifest, name: str, read: Input) -> Input:
    """With the digest of every day, also where only a snapshot or an attempt of the same run was noted."""
    days = dict(read.days)
    if read.attempt:
        _, receipt = staging.audited(settings, name, manifest.run)
        days |= {ds: str(day["digest"]) for ds, day in receipt.days.items()}
    elif read.bare and read.snapshot is not None:
        iceberg = load_table(settings, table_named(name))
        known = publications_at(iceberg, read.snapshot) if iceberg else {}
        days = {ds: it.digest for ds, it in known.items()}
    return Input(read.snapshot, read.windows, days, read.attempt)


def _one_recipe(table: str, manifests: Sequence[Manifest]) -> dict[str, object]:
    recipes = [manifest.recipe for manifest in manifests]
    for manifest in manifests[1:]:
        if manifest.recipe != recipes[0]:
            raise FencedError(
                f"{table}: run {manifest.run!r} made its part {manifests[0].part!r} with {json.dumps(recipes[0])} and "
                f"its part {manifest.part!r} with {json.dumps(manifest.recipe)}; run the job of all parts again"
            )
    return recipes[0] if recipes else {}


def _inputs_of(table: str, ds: str, read: Iterable[tuple[str, Input]]) -> dict[str, Days]:
    found: dict[str, Days] = {}
    for name, it in read:
        one = found.setdefault(name, Days([], {}))
        for window in it.windows_of(ds):
            if window not in one.windows:
                one.windows.append(window)
        for day, digest in it.days.items():
            if not it.covers(ds, day):
                continue
            if one.days.setdefault(day, digest) != digest:
                raise FencedError(
                    f"{table} ds={ds}: its parts have read different rows of {name} ds={day}, which was published "
                    "anew in the meantime; run the job again"
                )
    return found


def _keep_all(settings: Settings, made: list[Provenance]) -> None:
    with engine(settings).begin() as connection:
        for one in made:
            _keep(connection, one)


def _keep(connection: Connection, one: Provenance) -> None:
    key = (PROVENANCE.c.table_name == one.table) & (PROVENANCE.c.ds == one.ds) & (PROVENANCE.c.digest == one.digest)
    content = json.dumps(
        {
            "inputs": {name: asdict(it) for name, it in one.inputs.items()},
            "recipe": one.recipe,
            "files": one.files,
            "seconds": one.seconds,
        }
    )
    values = {"fence": one.fence, "run": one.run, "content": content}
    if connection.execute(update(PROVENANCE).where(key, PROVENANCE.c.fence <= one.fence).values(**values)).rowcount:
        return
    if connection.execute(select(PROVENANCE.c.fence).where(key)).scalar_one_or_none() is None:
        identity = {"table_name": one.table, "ds": one.ds, "digest": one.digest}
        connection.execute(insert(PROVENANCE).values(**identity, **values))


def _decoded(row: object) -> Provenance:
    content = json.loads(row.content)  # type: ignore[attr-defined]
    inputs = {name: Days(**it) for name, it in content["inputs"].items()}
    identity = (row.table_name, row.ds, row.digest, row.fence, row.run)  # type: ignore[attr-defined]
    return Provenance(*identity, inputs, content["recipe"], content["files"], content["seconds"])
