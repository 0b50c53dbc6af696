"""Landing files without a person: each of their records becomes a mark that still counts as one.

A text record becomes the line `erased`, a Parquet record one of nulls: so line numbers stay, the rows that landed still
add up, and ingest rejects the record as `erased`. In the records of others the person's names are masked.
"""

import csv
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import orc

from pipeline.erasure.data_files import plain
from pipeline.erasure.landed_lines import blank_text, mask_text
from pipeline.erasure.masks import masked_rows
from pipeline.erasure.names import Names
from pipeline.erasure.persons import Persons
from pipeline.runtime.atomic import replacing
from pipeline.runtime.errors import LandingError
from pipeline.runtime.settings import Settings
from pipeline.sources.identity import dated_digest, identity_file, readable_map
from pipeline.sources.landed_file import sha256_of
from pipeline.sources.landing import IDENTITY, drop_of
from pipeline.sources.unpack import HEAD_BYTES, PACKINGS, kind_of
from pipeline.storage.provenance import exchange_files, rewrite

ASIDE = "_erasing"  # next to the file: no source reads a folder of such a name

Change = Callable[[pa.Table, int], pa.Table]  # rows and the number of the first, from 1 → the rows to keep


def blank_records(settings: Settings, records: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Blanks (file, line) below landing/; returns records blanked per file."""
    lines: dict[str, set[int]] = defaultdict(set)
    for name, line in records:
        lines[name].add(line)
    for name, wanted in lines.items():
        path = settings.landing / name
        kind = _kind(path)
        with _replacing(settings, path) as aside:
            if kind == "Parquet":
                _rewrite_parquet(path, aside, partial(_nulled, wanted=wanted))
            elif kind == "ORC":
                _rewrite_orc(path, aside, partial(_nulled, wanted=wanted))
            else:
                blank_text(path, aside, wanted, drop_of(settings, name))
    return {name: len(wanted) for name, wanted in lines.items()}


def mask_mentions(settings: Settings, files: Iterable[Path], names: Names) -> list[Path]:
    """Masks the names in files below landing/ that are regular files; returns those that it changed.

    What is neither text nor a table, or packed twice, stays, and so does what changes meanwhile: the search tells.
    """
    done = []
    for path in files:
        kind = _kind(path)
        if kind not in (None, "Parquet", "ORC", *PACKINGS):
            continue
        with suppress(LandingError, pa.ArrowException):
            with _replacing(settings, path) as aside:
                if kind == "Parquet":
                    _rewrite_parquet(path, aside, lambda rows, first: masked_rows(rows, names)[0])
                elif kind == "ORC":
                    _rewrite_orc(path, aside, lambda rows, first: masked_rows(rows, names)[0])
                else:
                    mask_text(path, aside, names, drop_of(settings, path.relative_to(settings.landing).as_posix()))
            done.append(path)
    return done


def remove_identities(settings: Settings, persons: Persons) -> int:
    """Takes the persons out of identity.csv, all its columns kept; returns the rows removed."""
    path = identity_file(settings)
    if not path.exists():
        return 0
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        columns, rows = list(reader.fieldnames or ()), list(reader)
    kept = [
        row
        for row in rows
        if row["person_id"] not in persons.person_ids and (row["platform"], row["raw_id"]) not in persons.raw_ids
    ]
    if len(kept) < len(rows):
        before = readable_map(settings)
        with _replacing(settings, path) as aside, aside.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(kept)
        _keep_days_fresh(settings, before, readable_map(settings))
    return len(rows) - len(kept)


def _keep_days_fresh(settings: Settings, before: pl.DataFrame | None, now: pl.DataFrame | None) -> None:
    """Days that were made of the map as it was stand on it as it is: their `identities` lose the person too."""

    def change(content: dict) -> bool:
        same = [
            it for it in content["files"] if it["path"] == IDENTITY and it["sha256"] == dated_digest(before, it["ds"])
        ]
        for it in same:
            it["sha256"] = dated_digest(now, it["ds"])
        return bool(same)

    rewrite(settings, change)


def _rewrite_parquet(path: Path, aside: Path, change: Change) -> None:
    with pq.ParquetFile(path) as file:
        schema = pa.schema([field.with_nullable(True) for field in plain(file.schema_arrow)])
        first = 1
        with pq.ParquetWriter(aside, schema, compression="zstd") as writer:
            for group in range(file.num_row_groups):
                rows = file.read_row_group(group).cast(schema)
                writer.write_table(change(rows, first))
                first += rows.num_rows


def _rewrite_orc(path: Path, aside: Path, change: Change) -> None:
    file = orc.ORCFile(str(path))
    with orc.ORCWriter(str(aside), compression="zstd") as writer:
        first = 1
        for number in range(file.nstripes):
            rows = pa.Table.from_batches([file.read_stripe(number)])
            writer.write(change(rows, first))
            first += rows.num_rows


def _nulled(rows: pa.Table, first: int, wanted: set[int]) -> pa.Table:
    """The rows with nulls at `wanted`, counted from `first`. Slices: filters of maps abort."""
    parts, start = [], 0
    for position in sorted(number - first for number in wanted):
        if 0 <= position < rows.num_rows:
            parts.append(rows.slice(start, position - start))
            parts.append(pa.table([pa.nulls(1, field.type) for field in rows.schema], schema=rows.schema))
            start = position + 1
    parts.append(rows.slice(start))
    return pa.concat_tables(parts)


def _state(path: Path) -> tuple[int, int, int]:
    now = path.stat()
    return now.st_ino, now.st_size, now.st_mtime_ns


def _kind(path: Path) -> str | None:
    with path.open("rb") as file:
        return kind_of(file.read(HEAD_BYTES))


@contextmanager
def _replacing(settings: Settings, path: Path) -> Iterator[Path]:
    """A file to write, which then takes the place of `path` at once; the ledger knows it from then on.

    Raises LandingError where the file changes meanwhile: what was delivered since would be lost.
    """
    target = path.resolve()  # of a folder behind a link: on its file system
    seen = _state(path)
    folder, before = target.parent / ASIDE, sha256_of(path)
    try:
        with replacing(target, within=folder, durable=True) as aside:
            yield aside
            if _state(path) != seen:
                raise LandingError(
                    f"landing/{path.relative_to(settings.landing)}: changed while records were taken out of it, and is "
                    "left as it was delivered; erase once more when the delivery is complete"
                )
    finally:
        folder.rmdir()
    now = path.stat()
    after = {"size": now.st_size, "modified": now.st_mtime_ns, "sha256": sha256_of(path)}
    exchange_files(settings, {path.relative_to(settings.landing).as_posix(): (before, after)})
