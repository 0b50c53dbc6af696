"""Columns of `user_features` as Feast features.

Feast has no reliable list of structs, so such a column becomes one list per field, of the same order: `next_items` is
`next_items_item_id` and `next_items_score`. Every other column is a feature of the same name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.tables.schema import BOOL, DOUBLE, FLOAT, INT, LONG, STRING, Column, Table
from pipeline.tables.texts import elements, null_text, range_text

FEAST_TYPES = {
    STRING: "String",
    LONG: "Int64",
    INT: "Int32",
    DOUBLE: "Float64",
    FLOAT: "Float32",
    BOOL: "Bool",
}


@dataclass(frozen=True)
class Feature:
    """One Feast feature: a column, or one field of a list column."""

    name: str
    column: Column
    part: str = ""

    @property
    def type(self) -> str:
        """The Feast type as it is written in Python."""
        kind = self.column.type
        if self.part:
            return f"Array({FEAST_TYPES[kind.value_type.field(self.part).type]})"
        if pa.types.is_list(kind):
            return f"Array({FEAST_TYPES[kind.value_type]})"
        return FEAST_TYPES[kind]

    @property
    def description(self) -> str:
        meaning = self.column.meaning
        return f"{meaning}: {elements(self.column.type)[self.part]}" if self.part else meaning

    @property
    def tags(self) -> dict[str, str]:
        """The rest of the contract."""
        column = self.column
        tags = {"since": column.since, "range": range_text(column), "null": null_text(column)}
        unit = {"unit": column.unit} if column.unit else {}
        return {**tags, **unit, **({"by_model": "true"} if column.by_model else {})}

    def of_row(self, row: Mapping[str, Any]) -> Any:
        """The value in a row of plain Python values."""
        value = row.get(self.column.name)
        return [it[self.part] for it in value] if self.part and value is not None else value

    def of_table(self, rows: pa.Table) -> pa.ChunkedArray:
        """The values in a table of features."""
        column = rows[self.column.name]
        if not self.part:
            return column
        lists = [_field(chunk, self.part) for chunk in column.chunks]
        return pa.chunked_array(lists, pa.list_(self.column.type.value_type.field(self.part).type))


def features_of(table: Table) -> list[Feature]:
    """The features of every column but the keys, in order."""
    found = []
    for column in table.columns:
        parts = elements(column.type)
        if column.name not in ("ds", *table.key):
            found += [Feature(f"{column.name}_{part}", column, part) for part in parts] or [
                Feature(column.name, column)
            ]
    return found


def _field(lists: pa.ListArray, part: str) -> pa.ListArray:
    """The same lists, of one field; a null list stays null."""
    whole = pa.concat_arrays([lists])  # without an offset, so that offsets and values agree
    values = pc.struct_field(whole.values, part)
    mask = whole.is_null() if whole.null_count else None
    return pa.ListArray.from_arrays(whole.offsets, values, mask=mask)
