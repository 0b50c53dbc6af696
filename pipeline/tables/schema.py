"""How a table is declared: columns with type, unit, meaning and rules."""

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa

from pipeline.runtime.errors import ContractError
from pipeline.runtime.settings import Settings

STRING, LONG, INT, DOUBLE, FLOAT, BOOL = (
    pa.string(),
    pa.int64(),
    pa.int32(),
    pa.float64(),
    pa.float32(),
    pa.bool_(),
)
INSTANT = pa.timestamp("us", tz="UTC")
VECTOR = pa.list_(pa.float32())
TEXTS = pa.list_(pa.string())
# A rule across the columns of a row: what it says, SQL that holds, columns to show. The SQL is
# DuckDB's; it must not raise on any row, so text is cast with `try_cast`.
RowRule = tuple[str, str, tuple[str, ...]]


@dataclass(frozen=True)
class Column:
    """One column: `required` forbids nulls, bounds are inclusive, `values` closes the set."""

    name: str
    type: pa.DataType
    meaning: str
    required: bool = False
    unit: str = ""
    minimum: float | str | None = None
    maximum: float | str | None = None
    values: tuple[str, ...] = ()
    pattern: str = ""
    length: int | None = None  # exact number of elements of a list
    nulls: str = ""  # when a column that is not required is null
    since: str = "1.0"  # version of the table that brought it
    by_model: bool = False  # made by the model, so it knows what the model learned from
    renamed_from: str = ""  # its earlier names, newest first, separated by blanks; files keep them


@dataclass(frozen=True)
class Keep:
    """How long published days stay: the newest `days` of them, before these the newest of each of `weeks` weeks.

    `days` is None where every day stays. What is counted are published days, so that a pause removes nothing.
    """

    days: int | None
    weeks: int = 0

    def __str__(self) -> str:
        if self.days is None:
            return "forever"
        return f"{self.days}+{self.weeks}" if self.weeks else str(self.days)


FOREVER = Keep(None)
STATES = Keep(7, 8)


def no_rules(settings: Settings) -> list[RowRule]:
    """Where the columns say it all."""
    return []


@dataclass(frozen=True)
class Table:
    """One table, partitioned by `ds`. `key` is unique within a partition.

    `rules` hold across the columns of each row, under the settings of the home.
    `snapshot` tables hold the full state as of `ds`; the others hold what happened on `ds`.
    `version` is MAJOR.MINOR: columns are only added within a major version; what a home of an earlier version needs is
    in `pipeline/storage/migration.py`. `keep` says how long its days stay: states for some weeks, the others forever.
    """

    name: str
    meaning: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    snapshot: bool = False
    version: str = "1.0"
    rules: Callable[[Settings], list[RowRule]] = no_rules
    keep: Keep | None = None

    def __post_init__(self) -> None:
        """Raises ContractError for a column that takes the earlier name of another: old files would fill it."""
        names = [column.name for column in self.columns]
        for column in self.columns:
            for former in column.renamed_from.split():
                if former in names:
                    raise ContractError(
                        f"{self.name}.{column.name}: expected renamed_from to name no column of the table, found "
                        f"{former!r}, which old files still hold; give the other column a new name"
                    )

    @property
    def kept(self) -> Keep:
        """How long its days stay, unless TIDEMARK_KEEP says otherwise."""
        return self.keep or (STATES if self.snapshot else FOREVER)

    @property
    def renamed(self) -> dict[str, list[str]]:
        """The columns that had other names -> those names, newest first."""
        return {column.name: column.renamed_from.split() for column in self.columns if column.renamed_from}

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema, without field ids; `required` columns are not nullable."""
        return pa.schema([pa.field(c.name, c.type, nullable=not c.required) for c in self.columns])

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)


def list_of(**fields: pa.DataType) -> pa.DataType:
    """A list of structs."""
    return pa.list_(pa.struct([pa.field(name, kind) for name, kind in fields.items()]))


def none_of(events: str, condition: str) -> str:
    """SQL: no element of a list meets the condition."""
    return f"len(list_filter({events}, lambda e: {condition})) = 0"


def is_sorted(events: str, column: str) -> str:
    """SQL: the elements of a list stand in order of one of their fields."""
    values = f"list_transform({events}, lambda e: e.{column})"
    return f"{values} = list_sort({values})"
