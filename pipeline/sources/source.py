"""Source files: one TOML per platform says what lands, when, and how a row maps to an event.

`docs/reference/source-files.md` explains every key. Reading one is light: no Spark, no data.
"""

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, Strict, create_model, model_validator
from pydantic.dataclasses import dataclass as table

from pipeline.runtime.errors import SourceError
from pipeline.runtime.toml_file import (
    TABLE,
    AboveZero,
    Day,
    Expected,
    Flag,
    Number,
    Text,
    Texts,
    Whole,
    checked,
    expected,
    must,
    named,
    one_of,
    parsed,
)
from pipeline.sources.elements import PATH, path_parts

FORMATS = ("jsonl", "csv", "parquet", "orc")
TYPED_FORMATS = ("parquet", "orc")  # columns have types of their own; in the others every field is text
ON_ERROR = ("reject", "null")
THOUSANDS = ("", ".", ",", "'", " ", "\u00a0", "\u202f")
LANDED, UNKNOWN_FIELDS = "tidemark:landed", "tidemark:unknown"  # next to the fields, in the frame of landed records
RESERVED = "tidemark:"  # begins the names that the reader needs for itself
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
REQUIRED_EVENT = ("user_id", "item_id", "event_type", "event_time")
ITEM_COLUMNS = ("item_title", "item_category", "item_brand", "item_image_path")
OPTIONAL_EVENT = (
    "quantity",
    "price",
    "query",
    "text",
    "rating",
    "campaign_id",
    "propensity",
    "attributes",
    *ITEM_COLUMNS,
)
ITEMS = ("title", "category", "brand", "price", "image_path")
MAX_LATE_DAYS = 5  # as late as the default TIDEMARK_DEDUP_DAYS allows
AHEAD_DAYS = 1  # a record is accepted this long before its own day has landed
MANIFESTS = ("manifest", "_manifest")  # files of these names list a day's files with their sizes; others are markers
QUIET_MINUTES = 30
PLATFORM = re.compile(r"[a-z][a-z0-9_]*")
REASON = re.compile(r"[a-z][a-z0-9_]*")
ELEMENT = re.compile(r"[a-z][a-z0-9_]*")


def _is_landing_path(path: str) -> bool:
    return path.count("{ds}") == 1 and not path.startswith("/") and ".." not in Path(path).parts


def _is_file_name(path: str) -> bool:
    parts = Path(path).parts
    return path.count("{ds}") <= 1 and not path.startswith("/") and ".." not in parts and not set(path) & set("*?[")


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return False
    return True


def _encoding(name: str) -> str:
    """Python's name for it."""
    try:
        text = '\n,"{'.encode(name).decode(name) == '\n,"{'
    except (LookupError, UnicodeError):
        text = False
    if not text:
        raise expected("an encoding of text such as utf-8, utf-16, latin-1, cp1252, gb18030, shift_jis", name)
    return codecs.lookup(name).name


def _each_once(names: tuple[str, ...]) -> bool:
    return len(set(names)) == len(names) > 0


def _is_one_character(text: str) -> bool:
    return len(text) == 1 and text.isascii() and text not in "\r\n\0"


_Sign = Annotated[
    str, Strict(), Expected("a text"), must(lambda it: not it or _is_one_character(it), "one ASCII character, or none")
]
_DIALECT = {"delimiter": ",", "quote": '"', "escape": None, "comment": "", "header": True}


@table(frozen=True, config=TABLE)
class Drop:
    """Files that land every day: `path` is relative to landing/, holds `{ds}`, may hold globs.

    `delimiter` to `header` are the dialect of a CSV. An empty `quote` means that nothing is quoted; `escape` is the
    sign that takes the meaning from a quote, an empty one says that there is none (quotes are doubled), and without
    the key a backslash before a quote makes a record ambiguous. `decimal` and `thousands` are how numbers are written.
    """

    path: Annotated[Text, must(_is_landing_path, "a path below landing/ with one {ds}")]
    format: Annotated[Text, one_of(FORMATS)]
    columns: Annotated[Texts, must(_each_once, "the names of all fields, each once")]
    encoding: Annotated[Text, AfterValidator(_encoding)] = "utf-8"
    delimiter: Annotated[str, Strict(), Expected("a text"), must(_is_one_character, "one ASCII character")] = ","
    quote: _Sign = '"'
    escape: _Sign | None = None
    comment: _Sign = ""
    header: Flag = True
    decimal: Annotated[Text, one_of((".", ","))] = "."
    thousands: Annotated[str, Strict(), Expected("a text"), one_of(THOUSANDS)] = ""

    @model_validator(mode="after")
    def _dialect_of_its_format(self) -> "Drop":
        for key, usual in _DIALECT.items():
            if self.format != "csv" and getattr(self, key) != usual:
                raise expected(f"nothing: it is of CSV files, and format is {self.format}", getattr(self, key), key)
        signs = {key: sign for key in ("delimiter", "quote", "escape", "comment") if (sign := getattr(self, key))}
        for key, sign in signs.items():
            first = next(name for name, other in signs.items() if other == sign)
            if first != key and (first, key) != ("quote", "escape"):
                raise expected(f"another sign than {first}", sign, key)
        if self.thousands == self.decimal:
            raise expected("another sign than decimal", self.thousands, "thousands")
        for column in self.columns:
            if column.startswith(RESERVED):
                raise expected(f"names that do not begin with {RESERVED}", column, "columns")
        return self

    @property
    def plain_numbers(self) -> bool:
        """Whether numbers are written as SQL reads them."""
        return (self.decimal, self.thousands) == (".", "")


@table(frozen=True, config=TABLE)
class Delivery(Drop):
    """The drop of events, and the days on which it comes."""

    first_day: Day | None = None
    last_day: Day | None = None
    closed_weekdays: Annotated[Texts, must(set(WEEKDAYS).issuperset, f"names out of {', '.join(WEEKDAYS)}")] = ()
    closed_dates: Annotated[tuple[Day, ...], Expected("a list of date")] = ()
    complete: Annotated[Text, must(_is_file_name, "a file name without wildcards")] | None = None
    files: AboveZero | None = None
    quiet_minutes: Number | None = None
    rows: Annotated[Text, named(PATH, "a path")] | None = None
    rows_optional: Flag = False
    rows_separator: Annotated[str, Strict(), Field(min_length=1), Expected("a text")] | None = None
    element: Annotated[Text, named(ELEMENT)] = "element"

    @model_validator(mode="after")
    def _says_once_when_a_day_is_complete(self) -> "Delivery":
        given = {
            key: value for key in ("complete", "files", "quiet_minutes") if (value := getattr(self, key)) is not None
        }
        if len(given) > 1:
            raise expected("at most one of complete, files, quiet_minutes", given, "complete")
        if self.complete is not None and "{ds}" not in self.complete and self._day_folder() is None:
            words = f"a path with {{ds}} below landing/, because {self.path} gives a day no folder of its own"
            raise expected(words, self.complete, "complete")
        return self

    @model_validator(mode="after")
    def _names_a_list_of_its_own(self) -> "Delivery":
        if self.rows is None:
            if self.rows_optional or self.rows_separator:
                raise expected("the path of the list that rows_optional and rows_separator are about", None, "rows")
            return self
        if self.rows_separator and len(path_parts(self.rows)) > 1:
            raise expected("a column, because rows_separator cuts its text", self.rows, "rows")
        if path_parts(self.rows)[0] not in self.columns:
            raise expected(f"a path that begins with one of columns ({', '.join(self.columns)})", self.rows, "rows")
        taken = {column.lower() for column in self.columns}
        if set(self.element_names) & taken:
            words = f"a name that no column has, for what rows = {self.rows!r} gives (set element = ...)"
            raise expected(words, self.element, "element")
        return self

    @property
    def element_names(self) -> tuple[str, ...]:
        """What the SQL calls the value at each part of `rows`: the element last, what holds its list before it."""
        above = len(path_parts(self.rows or "")) - 1
        names = [f"{self.element}_parent_{level}" for level in range(above, 1, -1)]
        return (*names, *([f"{self.element}_parent"] if above > 0 else []), self.element)

    @property
    def quiet(self) -> float:
        """Minutes without a change after which nothing more is waited for."""
        return QUIET_MINUTES if self.quiet_minutes is None else self.quiet_minutes

    @property
    def lists_sizes(self) -> bool:
        """Whether `complete` names a listing of the day's files; else it is a marker."""
        return self.complete is not None and Path(self.complete).name.partition(".")[0].lower() in MANIFESTS

    def notice(self, ds: str) -> str | None:
        """The file that says that the day is complete, relative to landing/; None when there is none.

        It is no data, also where `path` matches it.
        """
        if self.complete is None:
            return None
        name = self.complete if "{ds}" in self.complete else f"{self._day_folder()}/{self.complete}"
        return name.replace("{ds}", ds)

    def _day_folder(self) -> str | None:
        """The folder of `path` that holds one day alone."""
        parts = Path(self.path).parts
        folders = parts[: next(n for n, part in enumerate(parts) if "{ds}" in part) + 1]
        return None if folders == parts or set("*?[") & set("".join(folders)) else "/".join(folders)

    def within(self, ds: str) -> bool:
        """Whether `ds` lies between the first and the last day, where they are given."""
        return (self.first_day or ds) <= ds <= (self.last_day or ds)

    def closed(self, ds: str) -> bool:
        """Whether nothing is delivered on `ds`."""
        weekday = WEEKDAYS[date.fromisoformat(ds).weekday()]
        return weekday in self.closed_weekdays or ds in self.closed_dates


@table(frozen=True, config=TABLE, kw_only=True)
class Items(Drop):
    """The catalogue drop, and the Spark SQL that makes columns of it."""

    item_id: Text
    title: Text | None = None
    category: Text | None = None
    brand: Text | None = None
    price: Text | None = None
    image_path: Text | None = None

    @property
    def expressions(self) -> Mapping[str, str]:
        """Spark SQL by column."""
        found = {name: getattr(self, name) for name in ("item_id", *ITEMS)}
        return {name: expression for name, expression in found.items() if expression is not None}


@dataclass(frozen=True)
class Source:
    """One platform. `event` maps canonical columns to Spark SQL, `reject` reasons to conditions.

    A day of a source that is not `required` may be missing: the night goes on without it.
    """

    platform: str
    timezone: str
    delivery: Delivery
    event: Mapping[str, str]
    file: Path
    reject: Mapping[str, str] = field(default_factory=dict)
    items: Items | None = None
    near_duplicate_seconds: float = 0
    max_late_days: int = MAX_LATE_DAYS
    required: bool = True
    on_error: Mapping[str, str] = field(default_factory=dict)

    def rejects(self, column: str) -> bool:
        """Whether a row is rejected when its value of a canonical column is there and cannot be read."""
        return self.on_error.get(column, self.on_error.get("default", "reject")) == "reject"


def _on_error(value: object) -> object:
    """`on_error = "null"` is short for a table with that default."""
    return {"default": value} if isinstance(value, str) else value


_columns: dict[str, Any] = dict.fromkeys(REQUIRED_EVENT, (Text, ...))
_columns |= dict.fromkeys(OPTIONAL_EVENT, (Text | None, None))
_Event = create_model("_Event", __config__=TABLE, **_columns)


@table(frozen=True, config=TABLE)
class _File:
    platform: Annotated[Text, named(PLATFORM)]
    timezone: Annotated[Text, must(_is_zone, "an IANA time zone such as Europe/Berlin")]
    delivery: Delivery
    event: _Event  # type: ignore[valid-type]
    reject: dict[Annotated[str, named(REASON, "a reason")], Text] = field(default_factory=dict)
    items: Items | None = None
    near_duplicate_seconds: Number = 0
    max_late_days: Whole = MAX_LATE_DAYS
    required: Flag = True
    on_error: Annotated[
        dict[
            Annotated[str, one_of(("default", *REQUIRED_EVENT, *OPTIONAL_EVENT))],
            Annotated[Text, one_of(ON_ERROR)],
        ],
        BeforeValidator(_on_error),
    ] = field(default_factory=dict)

    @model_validator(mode="after")
    def _keeps_equal_elements_apart(self) -> "_File":
        if self.delivery.rows is not None and self.near_duplicate_seconds:
            words = "0 with delivery.rows, because equal lines of one order would count once"
            raise expected(words, self.near_duplicate_seconds, "near_duplicate_seconds")
        return self


def load_source(file: Path) -> Source:
    """Reads and checks one TOML. Raises SourceError naming the file and the key."""
    found = checked(file, parsed(file, SourceError), _File, SourceError)
    return Source(
        platform=found.platform,
        timezone=found.timezone,
        delivery=found.delivery,
        event=found.event.model_dump(exclude_none=True),  # type: ignore[attr-defined]
        file=file,
        reject=found.reject,
        items=found.items,
        near_duplicate_seconds=found.near_duplicate_seconds,
        max_late_days=found.max_late_days,
        required=found.required,
        on_error=found.on_error,
    )


def check_lateness(source: Source, dedup_days: int) -> None:
    """Raises SourceError where a record that is accepted late might have been accepted before, unnoticed.

    The first and the last day on which a record is accepted are AHEAD_DAYS + `max_late_days` apart, and duplicates are
    recognised over less than `dedup_days`.
    """
    latest = dedup_days - 1 - AHEAD_DAYS
    if source.max_late_days > latest:
        raise SourceError(
            f"{source.file}: max_late_days: expected at most {latest}, found {source.max_late_days}: a record that is "
            f"delivered again so late would count twice, since duplicates are looked for in {dedup_days} arrival days "
            f"(TIDEMARK_DEDUP_DAYS); lower it, or set TIDEMARK_DEDUP_DAYS to at least "
            f"{source.max_late_days + 1 + AHEAD_DAYS}"
        )
