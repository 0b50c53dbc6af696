"""Landing files without a person: each of their records becomes a mark that still counts as one.

A text record becomes the line `erased`, a Parquet record one of nulls: so line numbers stay, the rows that landed still
add up, and ingest rejects the record as `erased`.
"""

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import orc

from pipeline.erasure.data_files import plain
from pipeline.erasure.landed_lines import blank_text, lines_in_which
from pipeline.erasure.names import Names
from pipeline.erasure.persons import Persons
from pipeline.runtime.atomic import replacing
from pipeline.runtime.settings import Settings
from pipeline.sources.identity import dated_digest, identity_file, readable_map
from pipeline.sources.landed_file import sha256_of
from pipeline.sources.landing import IDENTITY, drop_of
from pipeline.sources.unpack import HEAD_BYTES, PACKINGS, kind_of
from pipeline.storage.provenance import exchange_files, rewrite

ASIDE = "_erasing"  # below landing/: no source reads a folder of such a name


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
                _blank_rows(path, aside, wanted)
            elif kind == "ORC":
                _blank_orc_rows(path, aside, wanted)
            else:
                blank_text(path, aside, wanted, drop_of(settings, name))
    return {name: len(wanted) for name, wanted in lines.items()}


def blank_lines_naming(settings: Settings, files: Iterable[Path], names: Names) -> int:
    """Blanks the records of packed landing files in which nobody found a user but a name is."""
    blanked = 0
    for path in files:
        if path.is_relative_to(settings.landing) and _kind(path) in PACKINGS:
            drop = drop_of(settings, path.relative_to(settings.landing).as_posix())
            wanted = lines_in_which(path, names.spans, drop)
            with _replacing(settings, path) as aside:
                blank_text(path, aside, wanted, drop)
            blanked += len(wanted)
    return blanked


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


def _blank_rows(path: Path, aside: Path, wanted: set[int]) -> None:
    with pq.ParquetFile(path) as file:
        schema = pa.schema([field.with_nullable(True) for field in plain(file.schema_arrow)])
        first = 1
        with pq.ParquetWriter(aside, schema, compression="zstd") as writer:
            for group in range(file.num_row_groups):
                rows = file.read_row_group(group)
                writer.write_table(_nulled(rows, schema, wanted, first))
                first += rows.num_rows


def _nulled(rows: pa.Table, schema: pa.Schema, wanted: set[int], first: int) -> pa.Table:
    """The rows with nulls at `wanted`, counted from `first`. Slices: filters of maps abort."""
    parts, start = [], 0
    for position in sorted(number - first for number in wanted):
        if 0 <= position < rows.num_rows:
            parts.append(rows.slice(start, position - start))
            parts.append(_null_row(schema))
            start = position + 1
    parts.append(rows.slice(start))
    return pa.concat_tables([part.cast(schema) for part in parts])


def _null_row(schema: pa.Schema) -> pa.Table:
    return pa.table([pa.nulls(1, field.type) for field in schema], schema=schema)


def _blank_orc_rows(path: Path, aside: Path, wanted: set[int]) -> None:
    file = orc.ORCFile(str(path))
    with orc.ORCWriter(str(aside), compression="zstd") as writer:
        first = 1
        for number in range(file.nstripes):
            rows = pa.Table.from_batches([file.read_stripe(number)])
            writer.write(_nulled(rows, rows.schema, wanted, first))
            first += rows.num_rows


def _kind(path: Path) -> str | None:
    with path.open("rb") as file:
        return kind_of(file.read(HEAD_BYTES))


@contextmanager
def _replacing(settings: Settings, path: Path) -> Iterator[Path]:
    """A file to write, which then takes the place of `path` at once; the ledger knows it from then on."""
    folder, before = settings.landing / ASIDE, sha256_of(path)
    try:
        with replacing(path, within=folder, durable=True) as aside:
            yield aside
    finally:
        folder.rmdir()
    now = path.stat()
    after = {"size": now.st_size, "modified": now.st_mtime_ns, "sha256": sha256_of(path)}
    exchange_files(settings, {path.relative_to(settings.landing).as_posix(): (before, after)})
