"""Bring the Iceberg table of a home to what its declaration says now.

A declaration changes from version to version; a home keeps tables, and files, of the version that wrote them. Iceberg
tracks columns by id, so most changes are metadata alone:

| change | what happens |
|---|---|
| a column or a nested field is added | it is null in old rows, and optional to Iceberg also where files must have it |
| int becomes long, float becomes double | old files keep the narrow type, readers widen it |
| required becomes optional | Iceberg is told |
| a column is renamed, with `renamed_from` | it keeps its id |
| a column is gone, in a higher major version | it is dropped; old files keep it, nobody reads it |

Everything else is refused, because old rows could not be read as declared. Data files are never rewritten: snapshots
that a training run or a rollback needs stay as they are.
"""

import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import pyarrow as pa
from pyiceberg.io.pyarrow import _pyarrow_to_schema_without_ids
from pyiceberg.schema import Schema, assign_fresh_schema_ids
from pyiceberg.table import Table as IcebergTable
from pyiceberg.table import Transaction
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import (
    DoubleType,
    FloatType,
    IcebergType,
    IntegerType,
    ListType,
    LongType,
    MapType,
    StructType,
)

from pipeline.runtime.errors import ContractError
from pipeline.tables.contract import number
from pipeline.tables.schema import Table

DECLARED = "tidemark.declared"  # table property: what the table was last brought to, as JSON
FIRST = "1.0"  # version of tables that were made before the property was
WIDER = {(IntegerType, LongType), (FloatType, DoubleType)}
AGAIN = "load the days again in a new home"


@dataclass
class Changes:
    """What separates a table of a home from its declaration; nested fields are `column.element.field`."""

    renamed: dict[str, str] = field(default_factory=dict)  # earlier name -> name
    dropped: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    widened: list[str] = field(default_factory=list)
    relaxed: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.renamed or self.dropped or self.added or self.widened or self.relaxed)


@lru_cache(maxsize=256)
def iceberg_schema(table: Table) -> Schema:
    """The declared columns as Iceberg has them, with ids of their own."""
    return assign_fresh_schema_ids(_pyarrow_to_schema_without_ids(table.schema))


def declared_property(table: Table) -> str:
    """What is remembered of the declaration that a table was brought to."""
    required = [column.name for column in table.columns if column.required]
    return json.dumps({"version": table.version, "key": list(table.key), "required": required})


def migrated(iceberg: IcebergTable, table: Table) -> Transaction | None:
    """An open transaction that brings the table to its declaration; None when it is there already.

    Raises ContractError for a change that old rows cannot follow.
    """
    changes = needed(iceberg, table)
    remembered = iceberg.properties.get(DECLARED)
    if not changes and remembered == declared_property(table):
        return None
    _refuse_nulls(iceberg, table, changes)
    transaction = iceberg.transaction()
    if changes:
        _apply(transaction, changes, table)
    transaction.set_properties({DECLARED: declared_property(table)})
    return transaction


def as_declared_view(iceberg: IcebergTable, table: Table) -> IcebergTable:
    """The table with the declared columns, without a commit: a reader of an older home changes nothing.

    Raises ContractError like `migrated`.
    """
    changes = needed(iceberg, table)
    if not changes:
        return iceberg
    transaction = iceberg.transaction()
    _apply(transaction, changes, table)
    return IcebergTable(
        iceberg.name(), transaction.table_metadata, iceberg.metadata_location, iceberg.io, iceberg.catalog
    )


def needed(iceberg: IcebergTable, table: Table) -> Changes:
    """What separates the table of a home from its declaration. Raises ContractError for what is refused."""
    _check_version(iceberg, table)
    _check_key_and_partitions(iceberg, table)
    found, wanted = iceberg.schema(), iceberg_schema(table)
    changes, known = Changes(), set()
    names = {it.name: it for it in found.fields}
    for declared in wanted.fields:
        old = names.get(declared.name)
        for former in table.renamed.get(declared.name, []):
            if old is None and former in names:
                old = names[former]
                changes.renamed[former] = declared.name
        if old is None:
            _check_new_name(iceberg, table, declared.name)
            changes.added.append(declared.name)
            continue
        known.add(old.name)
        # Columns that were added are optional to Iceberg also where files must have them.
        if old.required and not declared.required:
            changes.relaxed.append(old.name)
        _compare(table, (old.name,), old.field_type, declared.field_type, changes)
    changes.dropped = [name for name in names if name not in known]
    if changes.dropped or changes.renamed:
        _check_major(iceberg, table, changes)
    return changes


def _compare(table: Table, path: tuple[str, ...], old: IcebergType, new: IcebergType, changes: Changes) -> None:
    """Adds what separates two types; nested fields are found by name."""
    if isinstance(old, StructType) and isinstance(new, StructType):
        before = {it.name: it for it in old.fields}
        for inner in new.fields:
            if inner.name in before:
                _compare(table, (*path, inner.name), before[inner.name].field_type, inner.field_type, changes)
            else:
                changes.added.append(".".join((*path, inner.name)))
        after = {it.name for it in new.fields}
        changes.dropped += [".".join((*path, name)) for name in before if name not in after]
    elif isinstance(old, ListType) and isinstance(new, ListType):
        _compare(table, (*path, "element"), old.element_type, new.element_type, changes)
    elif isinstance(old, MapType) and isinstance(new, MapType):
        _compare(table, (*path, "key"), old.key_type, new.key_type, changes)
        _compare(table, (*path, "value"), old.value_type, new.value_type, changes)
    elif old != new:
        if (type(old), type(new)) not in WIDER:
            raise ContractError(
                f"{table.name}.{_shown(path)}: expected a type that holds the {old} of published days, found {new} "
                f"declared in version {table.version}; only int to long and float to double can be changed: declare "
                f"the old type, or a column of another name, or {AGAIN}"
            )
        changes.widened.append(".".join(path))


def _check_key_and_partitions(iceberg: IcebergTable, table: Table) -> None:
    spec = [(it.name, type(it.transform)) for it in iceberg.spec().fields]
    if spec != [("ds", IdentityTransform)]:
        raise ContractError(
            f"{table.name}: expected a table partitioned by ds, found {iceberg.spec()}; partitions of published days "
            f"cannot change: {AGAIN}"
        )
    remembered = _remembered(iceberg)
    now = {former: name for name, names in table.renamed.items() for former in names}
    key = [now.get(name, name) for name in remembered.get("key", table.key)]
    if key != list(table.key):
        raise ContractError(
            f"{table.name}: expected the key {', '.join(key) or '(none)'} of version "
            f"{remembered['version']}, found {', '.join(table.key) or '(none)'} declared in version {table.version}; "
            f"published rows were checked by the old key: declare that, or {AGAIN}"
        )


def _check_version(iceberg: IcebergTable, table: Table) -> None:
    """Older code must not take from a newer home what it does not know."""
    before = _remembered(iceberg)["version"]
    if number(table.version) < number(before):
        raise ContractError(
            f"{table.name}: expected version {table.version} or an earlier one, found version {before}: the home was "
            "written by newer code; update this code"
        )


def _check_major(iceberg: IcebergTable, table: Table, changes: Changes) -> None:
    """Columns vanish only in a higher major version: otherwise a forgotten line would drop one."""
    before = _remembered(iceberg)["version"]
    gone = [_shown(tuple(name.split("."))) for name in (*changes.dropped, *changes.renamed)]
    if number(table.version)[0] <= number(before)[0]:
        raise ContractError(
            f"{table.name}: expected the columns of version {before}, found version {table.version} declared without "
            f"{', '.join(gone)}; to drop or rename a column, raise the major version of the table in its declaration"
        )


def _check_new_name(iceberg: IcebergTable, table: Table, name: str) -> None:
    """A name that was dropped cannot come back: engines that read files by name would find the old values."""
    earlier = {it.name for schema in iceberg.metadata.schemas for it in schema.fields}
    if name in earlier:
        raise ContractError(
            f"{table.name}.{name}: expected a name that no dropped column had, found one whose values are still in "
            "files of published days; give the column another name"
        )


def _refuse_nulls(iceberg: IcebergTable, table: Table, changes: Changes) -> None:
    """Raises ContractError when a column becomes required and published rows hold nulls in it.

    A column that came later is null in the rows of before, which is no contradiction: no file holds the null.
    """
    was = set(_remembered(iceberg).get("required", ())) | {it.name for it in iceberg.schema().fields if it.required}
    was |= {changes.renamed.get(name, name) for name in was}
    made = [it for it in table.columns if it.required and it.name not in was.union(changes.added)]
    if not made or iceberg.current_snapshot() is None:
        return
    back = {new: old for old, new in changes.renamed.items()}
    ids = {iceberg.schema().find_field(back.get(it.name, it.name)).field_id: it.name for it in made}
    for task in iceberg.scan().plan_files():
        counts = task.file.null_value_counts or {}
        for number_, name in ids.items():
            if counts.get(number_):
                raise ContractError(
                    f"{table.name}.{name} ds={task.file.partition[0]}: expected no null, since version "
                    f"{table.version} declares it as required, found {counts[number_]}; leave it optional, or run "
                    "that day again with a value in every row first"
                )


def _apply(transaction: Transaction, changes: Changes, table: Table) -> None:
    with transaction.update_schema(allow_incompatible_changes=True) as update:
        for former, name in changes.renamed.items():
            update.rename_column(former, name)
        for name in changes.dropped:
            update.delete_column(name)
    # Rows of earlier days have nothing of a new column: to Iceberg it is optional, the audit requires it.
    fields = [it.with_nullable(True) if it.name in changes.added else it for it in table.schema]
    wanted = assign_fresh_schema_ids(_pyarrow_to_schema_without_ids(pa.schema(fields)))
    with transaction.update_schema() as update:
        update.union_by_name(wanted)


def _remembered(iceberg: IcebergTable) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(iceberg.properties.get(DECLARED, "{}"))
    return {"version": FIRST, **found}


def _shown(path: tuple[str, ...]) -> str:
    """A path as a person writes it: `events.price`."""
    return ".".join(part for part in path if part not in ("element", "value"))
