"""The fields that SQL can reach in a file's records: columns, fields of objects, and those of a list's elements."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from pipeline.sources.elements import elements, object_texts
from pipeline.sources.proposals.look import Look

ITEM_NAMES = re.compile(
    r"(item|product|article|sku|asin|aid|goods|offer|listing|movie|stock)(_?(id|code|sku|number))?$|^id$", re.I
)
ELEMENT = "element"
PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
RESERVED = {"user", "timestamp", "date", "time", "order", "at", "group", "end", "start", "table", "column", "rows"}
OBJECT_ROWS = 2_000  # records whose objects are opened


@dataclass(frozen=True)
class Field:
    """What SQL calls it, and its values in the sample; `name` is for people."""

    name: str
    sql: str
    values: pl.Series

    @property
    def last(self) -> str:
        """Its own name, without what holds it and without a prefix such as `ga:`."""
        return re.split(r"[.:]", self.name)[-1]

    @property
    def texts(self) -> pl.Series:
        """What is filled in, as texts."""
        found = self.values.cast(pl.Utf8, strict=False).drop_nulls()
        return found.filter(found.str.strip_chars() != "")

    @property
    def filled(self) -> float:
        return len(self.texts) / max(len(self.values), 1)


@dataclass(frozen=True)
class Layout:
    """`rows` is the path of the list whose elements are events; None where a record is one.

    `records` of the sample hold `elements`; `without` of them hold none.
    """

    rows: str | None
    element: str
    fields: tuple[Field, ...]
    records: int = 0
    elements: int = 0
    without: int = 0


def layout_of(look: Look) -> Layout:
    """The fields, one value per event of the sample; a record with an empty list is left out of them."""
    lists = sorted(_lists(look), key=lambda found: -found[0])
    if not lists or lists[0][0] < 1:
        return Layout(None, ELEMENT, tuple(_record_fields(look.rows)))
    _, path, owners, found = lists[0]
    record = look.rows[owners]
    taken = {name.lower() for name in look.rows.columns}
    element = ELEMENT if not taken & {ELEMENT, f"{ELEMENT}_parent", f"{ELEMENT}_parent_2"} else "list_element"
    own = [Field(f"{element}.{name}", f"{element}.{quoted(name)}", values) for name, values in found.items()]
    opened = len(look.rows) if look.format == "parquet" else min(len(look.rows), OBJECT_ROWS)
    fields = (*own, *_record_fields(record))
    return Layout(path, element, fields, opened, len(owners), opened - owners.n_unique())


def quoted(name: str) -> str:
    """A name as SQL: in backticks where it is no plain word."""
    plain = PLAIN.fullmatch(name) and name.lower() not in RESERVED
    return name if plain else "`" + name.replace("`", "``") + "`"


def _record_fields(rows: pl.DataFrame) -> Iterator[Field]:
    """The columns, and the fields of those that hold objects."""
    for name in rows.columns:
        values, kind = rows[name], rows[name].dtype
        if isinstance(kind, pl.Struct):
            for inner in kind.fields:
                if not inner.dtype.is_nested():
                    yield Field(
                        f"{name}.{inner.name}", f"{quoted(name)}.{quoted(inner.name)}", values.struct.field(inner.name)
                    )
        elif kind.is_nested():
            continue
        elif _looks(values, "{"):
            yield from _object_fields(name, values.head(OBJECT_ROWS))
        elif not _looks(values, "["):
            yield Field(name, quoted(name), values)


def _object_fields(name: str, values: pl.Series) -> Iterator[Field]:
    objects = [object_texts(text.encode()) or {} if text else {} for text in values]
    for inner in dict.fromkeys(key for it in objects for key in it):
        if PLAIN.fullmatch(inner):
            texts = pl.Series(inner, [it.get(inner) for it in objects], pl.Utf8)
            if not _looks(texts, "{") and not _looks(texts, "["):
                yield Field(f"{name}.{inner}", f"get_json_object({quoted(name)}, '$.{inner}')", texts)


def _lists(look: Look) -> Iterator[tuple[float, str, pl.Series, dict[str, pl.Series]]]:
    """Each list that may hold events: how likely, its path, the record of each element, and the elements' fields."""
    for name in look.rows.columns:
        values, kind = look.rows[name], look.rows[name].dtype
        if isinstance(kind, pl.List):
            yield _typed(quoted(name), values)
        elif isinstance(kind, pl.Struct):
            for inner in kind.fields:
                if isinstance(inner.dtype, pl.List):
                    yield _typed(f"{quoted(name)}.{quoted(inner.name)}", values.struct.field(inner.name))
        elif kind == pl.Utf8 and _looks(values, "["):
            yield _texts(quoted(name), values, [])
        elif kind == pl.Utf8 and _looks(values, "{"):
            first = [object_texts(text.encode()) or {} for text in values.drop_nulls().head(200)]
            for key in dict.fromkeys(key for it in first for key, text in it.items() if (text or "").startswith("[")):
                yield _texts(f"{quoted(name)}.{quoted(key)}", values, [key])


def _typed(path: str, values: pl.Series) -> tuple[float, str, pl.Series, dict[str, pl.Series]]:
    rows = pl.DataFrame({"it": values}).with_row_index("owner").filter(pl.col("it").list.len() > 0).explode("it")
    rows = rows.drop_nulls("it")
    kind = rows["it"].dtype
    names = [field.name for field in kind.fields if not field.dtype.is_nested()] if isinstance(kind, pl.Struct) else []
    found = {name: rows["it"].struct.field(name) for name in names} if names else {"value": rows["it"]}
    if kind.is_nested() and not names:
        found = {}
    return _likely(path, found), path, rows["owner"], found


def _texts(path: str, values: pl.Series, rest: list[str]) -> tuple[float, str, pl.Series, dict[str, pl.Series]]:
    owners, fields = [], []
    for owner, text in enumerate(values.head(OBJECT_ROWS)):
        for it in elements(text, rest):
            if it.problem is None:
                owners.append(owner)
                fields.append(it.levels[-1])
    names = dict.fromkeys(name for it in fields for name in it)
    found = {name: pl.Series(name, [it.get(name) for it in fields], pl.Utf8) for name in names}
    return _likely(path, found), path, pl.Series(owners, dtype=pl.UInt32), found


def _likely(path: str, fields: dict[str, pl.Series]) -> float:
    """1 or more where the elements name an item; a list of plain values where the list itself names some."""
    if list(fields) == ["value"]:
        return 1.0 if re.search(r"item|product|basket|sku|article", path, re.I) else 0.0
    named = [name for name in fields if ITEM_NAMES.search(name)]
    known = re.search(r"items|products|events|lines|actions|clicks|baskets?", path, re.I)
    return (1.0 if named else 0.0) + (0.5 if known else 0.0)


def _looks(values: pl.Series, mark: str) -> bool:
    """Whether most of what is filled in begins with a bracket."""
    if values.dtype != pl.Utf8:
        return False
    filled = values.drop_nulls().head(200).str.strip_chars()
    return 2 * int(filled.str.starts_with(mark).sum()) > len(filled)
