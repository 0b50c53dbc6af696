"""Prove that two homes hold the same rows: digest each one, then compare the digests.

    python tests/bench/compare_rows.py digest HOME > rows.json
    python tests/bench/compare_rows.py compare before.json after.json

A digest covers every published table, partition and column. A column's digest is the sum of one
hash per row, taken over the row's key and the column's value. The order of rows and files does not
matter; a value that moved to another row does. The exact digest takes floats as they are, the
rounded digest rounds them to six significant digits. `compare` prints what differs, and exits with
1 when partitions, row counts, types or rounded digests differ.

The script reads HOME/catalog.db with pyiceberg and the data files with DuckDB. It imports nothing
from the pipeline, so the same copy reads homes written by different versions of the code.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.table import Table

NAMESPACE = "tidemark"
PUBLISHED = "pub."  # table property `pub.<ds>`: days without rows have one, too
MEMORY = "4GB"
DIGITS = 6  # significant digits of the rounded digest

# What identifies a row within a partition. For a table without an entry, each column is compared on
# its own: values that trade places between rows go unnoticed.
KEYS = {
    "raw_events": ("event_id",),
    "landed_files": ("path",),
    "identities": ("account_id", "since_ds"),
    "events": ("event_id",),
    "quarantine": ("source_file", "record"),
    "accounting": ("platform",),
    "sessions": ("session_id",),
    "items": ("item_id",),
    "item_embeddings": ("item_id",),
    "user_history": ("user_id",),
    "training_examples": ("user_id", "cutoff_ds"),
    "topics": ("topic_id",),
    "item_topics": ("item_id",),
    "user_interests": ("user_id",),
    "migrations": ("week", "from_topic", "to_topic"),
    "migration_patterns": ("pattern",),
    "review_sentiments": ("event_id",),
    "user_signals": ("user_id",),
    "segments": ("segment",),
    "segment_members": ("segment", "user_id"),
    "user_features": ("user_id",),
    "ad_policy": ("campaign", "user_id"),
    "policy_judgements": ("campaign",),
    "user_history_intraday": ("user_id",),
    "user_features_intraday": ("user_id",),
    "intraday_refreshes": ("hour",),
    "interventions": ("user_id", "kind"),
    "user_uplift": ("trial", "user_id"),
    "uplift_judgements": ("trial",),
    "hourly_judgements": ("hour",),
}

# Columns that name the run, the model version or the moment that made a row, so they differ between
# runs of the same code. A dotted name is one field of a list of structs.
PROVENANCE = {
    "landed_files": ("modified", "first_seen", "run", "attempt"),
    "user_features": ("model_version",),
    "user_features_intraday": ("model_version",),
    "intraday_refreshes": (
        "run",
        "base_published_at",
        "files.landed_at",
        "first_landed_at",
        "last_landed_at",
        "readable_at",
        "model_version",
        "store_version",
        "seconds",
    ),
    "hourly_judgements": (
        "base_version",
        "serving",
        "candidate",
        "serves",
        "next_candidate",
        "judged.version",
    ),
}


@dataclass(frozen=True)
class Difference:
    """One column of one partition; `column` is in brackets when it is about all of the partition.

    `exact` and `rounded` say what was found of the two digests.
    """

    table: str
    ds: str
    column: str
    exact: str
    rounded: str

    @property
    def is_exact_only(self) -> bool:
        return self.rounded == "same"


def digest(home: Path) -> dict:
    """The digests of every table in a home's catalogue, by table name."""
    file = home.resolve() / "catalog.db"
    if not file.exists():
        sys.exit(f"error: {home}: expected a home with catalog.db, found none")
    catalog = SqlCatalog(NAMESPACE, uri=f"sqlite:///{file}", init_catalog_tables="false")
    names = sorted(name for _, name in catalog.list_tables(NAMESPACE))
    return {name: digest_table(name, catalog.load_table((NAMESPACE, name))) for name in names}


def digest_table(name: str, iceberg: Table) -> dict:
    """`types` by column; `partitions` by day, each with `rows` and [exact, rounded] by column."""
    schema = schema_to_pyarrow(iceberg.schema(), include_field_ids=False)
    columns = [field for field in schema if field.name not in ("ds", *PROVENANCE.get(name, ()))]
    days = {key.removeprefix(PUBLISHED) for key in iceberg.properties if key.startswith(PUBLISHED)}
    tasks = list(iceberg.scan().plan_files())
    if any(task.delete_files for task in tasks):
        sys.exit(f"error: {name}: expected data files only, found delete files")
    days |= {str(task.file.partition[0]) for task in tasks}
    nothing = {field.name: ["0", "0"] for field in columns}
    partitions = {ds: {"rows": 0, "columns": dict(nothing)} for ds in sorted(days)}
    files = [task.file.file_path.removeprefix("file://") for task in tasks]
    for ds, rows, digests in column_digests(name, columns, files) if files else ():
        partitions[ds]["rows"] = rows
        partitions[ds]["columns"].update(digests)
    types = {field.name: str(field.type) for field in schema}
    return {"types": types, "partitions": partitions}


def column_digests(
    name: str, columns: list[pa.Field], files: list[str]
) -> Iterator[tuple[str, int, dict[str, list[str]]]]:
    """Day, number of rows and [exact, rounded] by column, for a few columns at a time.

    Nested columns are read one by one: together, long histories as text would take gigabytes.
    """
    database = duckdb.connect(config={"memory_limit": MEMORY, "threads": 1})
    table = database.read_parquet(files, union_by_name=True, hive_partitioning=False)
    held = set(table.columns)  # files older than a column do not hold it
    key = [_quoted(column) for column in KEYS.get(name, ())]
    flat = [field for field in columns if not pa.types.is_nested(field.type)]
    for together in (flat, *([field] for field in columns if field not in flat)):
        wanted = ["ds", "count(*)"]
        for field in together:
            column = _quoted(field.name) if field.name in held else "NULL"
            for rounded in (False, True):
                value = f"to_json({_value(column, field.type, rounded, _left_out(name, field))})"
                row = ", ".join(f"{part}::VARCHAR" for part in (*key, value))
                wanted.append(f"sum(md5_number_lower(to_json([{row}])::VARCHAR))")
        for ds, rows, *sums in table.aggregate(", ".join(wanted), "ds").fetchall():
            digests = [f"{it:x}" for it in sums]
            pairs = zip(digests[::2], digests[1::2], strict=True)
            names = [field.name for field in together]
            yield ds, rows, dict(zip(names, map(list, pairs), strict=True))


def _left_out(name: str, field: pa.Field) -> list[str]:
    """Fields inside a column that are provenance."""
    inside = f"{field.name}."
    dotted = PROVENANCE.get(name, ())
    return [it.removeprefix(inside) for it in dotted if it.startswith(inside)]


def _value(sql: str, kind: pa.DataType, rounded: bool, left_out: Collection[str] = (), depth: int = 0) -> str:
    """SQL of the same value in a form whose JSON loses nothing, floats rounded where asked."""
    if pa.types.is_floating(kind):
        # Adding zero turns -0.0 into the 0.0 that it equals.
        return f"printf('%.{DIGITS - 1}e', {sql}::DOUBLE + 0.0)" if rounded else f"{sql}::VARCHAR"
    if pa.types.is_timestamp(kind):
        return f"epoch_us({sql})"
    if pa.types.is_map(kind):  # entries have no order
        entries = pa.list_(pa.struct([("key", kind.key_type), ("value", kind.item_type)]))
        return _value(f"list_sort(map_entries({sql}))", entries, rounded, left_out, depth)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        element = f"x{depth}"
        inner = _value(element, kind.value_type, rounded, left_out, depth + 1)
        return f"list_transform({sql}, lambda {element}: {inner})"
    if pa.types.is_struct(kind):
        fields = [
            f"{_quoted(field.name)} := " + _value(f"{sql}.{_quoted(field.name)}", field.type, rounded, (), depth)
            for field in kind
            if field.name not in left_out
        ]
        return f"CASE WHEN {sql} IS NOT NULL THEN struct_pack({', '.join(fields)}) END"
    return sql


def _quoted(column: str) -> str:
    return f'"{column}"'


def differences(before: dict, after: dict) -> Iterator[Difference]:
    """Every difference between two digests."""
    for table in _union(before, after):
        if table not in before or table not in after:
            yield Difference(table, "", "[table]", *_only_in(table in before))
            continue
        old, new = before[table], after[table]
        for column in _union(old["types"], new["types"]):
            types = [it["types"].get(column, "none") for it in (old, new)]
            if types[0] != types[1]:
                yield Difference(table, "", column, "type", " -> ".join(types))
        for ds in _union(old["partitions"], new["partitions"]):
            if ds not in old["partitions"] or ds not in new["partitions"]:
                yield Difference(table, ds, "[partition]", *_only_in(ds in old["partitions"]))
                continue
            yield from _of_partition(table, ds, old["partitions"][ds], new["partitions"][ds])


def _of_partition(table: str, ds: str, old: dict, new: dict) -> Iterator[Difference]:
    if old["rows"] != new["rows"]:
        yield Difference(table, ds, "[rows]", str(old["rows"]), str(new["rows"]))
    for column in _shared(old["columns"], new["columns"]):
        same = [a == b for a, b in zip(old["columns"][column], new["columns"][column], strict=True)]
        if not all(same):
            yield Difference(table, ds, column, *("same" if it else "differs" for it in same))


def _only_in(is_before: bool) -> tuple[str, str]:
    return ("there", "missing") if is_before else ("missing", "there")


def _union(first: dict, second: dict) -> list[str]:
    return sorted({*first, *second})


def _shared(first: dict, second: dict) -> list[str]:
    """In the order of `first`. Columns of one side only are reported once, among the types."""
    return [name for name in first if name in second]


def compare(before: dict, after: dict) -> bool:
    """Prints the differences and what was compared; returns whether rows and values agree."""
    found = list(differences(before, after))
    groups = defaultdict(list)
    for it in found:
        groups[it.table, it.column, it.exact, it.rounded].append(it.ds)
    if groups:
        print(f"{'table':24} {'column':28} {'exact / rounded':24} days")
    for (table, column, exact, rounded), days in groups.items():
        span = days[0] if len(days) == 1 else f"{days[0]}..{days[-1]} ({len(days)})"
        print(f"{table:24} {column:28} {f'{exact} / {rounded}':24} {span}")
    tables = _shared(before, after)
    pairs = [
        (before[table]["partitions"][ds]["columns"], after[table]["partitions"][ds]["columns"])
        for table in tables
        for ds in _shared(before[table]["partitions"], after[table]["partitions"])
    ]
    columns = sum(len(_shared(*pair)) for pair in pairs)
    differing = [it for it in found if not it.is_exact_only]
    print(
        f"{len(tables)} tables, {len(pairs)} partitions, {columns} columns of partitions compared: "
        f"{len(differing)} differ, {len(found) - len(differing)} beyond {DIGITS} digits only"
    )
    return not differing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    digesting = commands.add_parser("digest", help="print the digests of a home as JSON")
    digesting.add_argument("home", type=Path)
    comparing = commands.add_parser("compare", help="compare two files of digests")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "digest":
        json.dump(digest(arguments.home), sys.stdout, indent=1)
        print()
        return
    same = compare(*(json.loads(path.read_text()) for path in (arguments.before, arguments.after)))
    sys.exit(not same)


if __name__ == "__main__":
    main()
