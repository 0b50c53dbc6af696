"""Source files: one TOML per platform says what lands, when, and how a row maps to an event.

`docs/sources.md` explains every key. Reading one is light: no Spark, no data.
"""

import codecs
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pipeline.errors import SourceError

FORMATS = ("jsonl", "csv", "parquet")
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
REQUIRED_EVENT = ("user_id", "item_id", "event_type", "event_time")
ITEM_COLUMNS = ("item_title", "item_category", "item_brand", "item_image_path")
OPTIONAL_EVENT = (
    "quantity", "price", "query", "text", "rating", "campaign_id", "propensity", "attributes",
    *ITEM_COLUMNS,
)  # fmt: skip
ITEMS = ("title", "category", "brand", "price", "image_path")
PLATFORM = re.compile(r"[a-z][a-z0-9_]*")
REASON = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Drop:
    """Files that land every day: `path` is relative to landing/, holds `{ds}`, may hold globs."""

    path: str
    format: str
    columns: tuple[str, ...]
    encoding: str = "utf-8"


@dataclass(frozen=True)
class Delivery(Drop):
    """The drop of events, and the days on which it comes."""

    first_day: str | None = None
    last_day: str | None = None
    closed_weekdays: tuple[str, ...] = ()
    closed_dates: tuple[str, ...] = ()

    def within(self, ds: str) -> bool:
        """Whether `ds` lies between the first and the last day, where they are given."""
        return (self.first_day or ds) <= ds <= (self.last_day or ds)

    def closed(self, ds: str) -> bool:
        """Whether nothing is delivered on `ds`."""
        weekday = WEEKDAYS[date.fromisoformat(ds).weekday()]
        return weekday in self.closed_weekdays or ds in self.closed_dates


@dataclass(frozen=True)
class Items(Drop):
    """The catalogue drop: `expressions` maps item_id, title, … to Spark SQL."""

    expressions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """One platform. `event` maps canonical columns to Spark SQL, `reject` reasons to conditions."""

    platform: str
    timezone: str
    delivery: Delivery
    event: Mapping[str, str]
    file: Path
    reject: Mapping[str, str] = field(default_factory=dict)
    items: Items | None = None
    near_duplicate_seconds: float = 0
    max_late_days: int = 30


def load_source(file: Path) -> Source:
    """Reads and checks one TOML. Raises SourceError naming the file and the key."""
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SourceError(f"{file}: not valid TOML: {error}; correct the file") from None
    except OSError as error:
        raise SourceError(f"{file}: cannot be read: {error.strerror}") from None
    return _source(file, content)


def _source(file: Path, content: dict[str, Any]) -> Source:
    top = _Section(file, "", content)
    delivery = _delivery(top.section("delivery"))
    event = top.section("event").texts(REQUIRED_EVENT, OPTIONAL_EVENT)
    reject = top.section("reject", optional=True).reasons()
    items = _items(top.section("items")) if "items" in content else None
    source = Source(
        platform=top.text("platform", PLATFORM),
        timezone=_zone(top),
        delivery=delivery,
        event=event,
        file=file,
        reject=reject,
        items=items,
        near_duplicate_seconds=top.number("near_duplicate_seconds", 0),
        max_late_days=int(top.number("max_late_days", 30)),
    )
    top.nothing_else()
    return source


def _delivery(section: "_Section") -> Delivery:
    weekdays = section.list("closed_weekdays", str)
    for weekday in weekdays:
        if weekday not in WEEKDAYS:
            raise section.wrong("closed_weekdays", f"names out of {', '.join(WEEKDAYS)}", weekday)
    delivery = Delivery(
        **_drop(section),
        first_day=section.day("first_day"),
        last_day=section.day("last_day"),
        closed_weekdays=tuple(weekdays),
        closed_dates=tuple(day.isoformat() for day in section.list("closed_dates", date)),
    )
    section.nothing_else()
    return delivery


def _items(section: "_Section") -> Items:
    drop = _drop(section)
    expressions = section.texts(("item_id",), ITEMS)
    return Items(**drop, expressions=expressions)


def _drop(section: "_Section") -> dict[str, Any]:
    path = section.text("path")
    if path.count("{ds}") != 1 or path.startswith("/") or ".." in Path(path).parts:
        raise section.wrong("path", "a path below landing/ with one {ds}", path)
    kind = section.text("format")
    if kind not in FORMATS:
        raise section.wrong("format", f"one of {', '.join(FORMATS)}", kind)
    columns = section.list("columns", str)
    if not columns or len(set(columns)) != len(columns):
        raise section.wrong("columns", "the names of all fields, each once", columns)
    return {
        "path": path,
        "format": kind,
        "columns": tuple(columns),
        "encoding": _encoding(section),
    }


def _encoding(section: "_Section") -> str:
    name = section.text("encoding", default="utf-8")
    try:
        plain = codecs.decode(b'\n,"{', name) == '\n,"{'  # lines are cut before decoding
    except (LookupError, UnicodeDecodeError):
        plain = False
    if not plain:
        raise section.wrong("encoding", "an encoding that keeps ASCII as it is", name)
    return codecs.lookup(name).name


def _zone(top: "_Section") -> str:
    name = top.text("timezone")
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise top.wrong("timezone", "an IANA time zone such as Europe/Berlin", name) from None
    return name


class _Section:
    """A table of the TOML; every key must be taken, so that a misspelt one is found."""

    def __init__(self, file: Path, name: str, content: dict[str, Any]) -> None:
        self._file, self._name, self._left = file, name, dict(content)

    def wrong(self, key: str, expected: str, found: object) -> SourceError:
        where = f"{self._name}.{key}" if self._name else key
        return SourceError(f"{self._file}: {where}: expected {expected}, found {found!r}")

    def section(self, key: str, optional: bool = False) -> "_Section":
        content = self._left.pop(key, {} if optional else None)
        if not isinstance(content, dict):
            raise self.wrong(key, f"a table [{key}]", content)
        return _Section(self._file, key, content)

    def text(
        self, key: str, pattern: re.Pattern[str] | None = None, default: str | None = None
    ) -> str:
        found = self._left.pop(key, default)
        if not isinstance(found, str) or not found.strip():
            raise self.wrong(key, "a text", found)
        if pattern and not pattern.fullmatch(found):
            raise self.wrong(key, f"a name like {pattern.pattern}", found)
        return found

    def texts(self, required: tuple[str, ...], optional: tuple[str, ...]) -> dict[str, str]:
        """The rest of the section: the required keys and any of the optional ones."""
        found = {key: self.text(key) for key in required}
        found |= {key: self.text(key) for key in optional if key in self._left}
        self.nothing_else(allowed=(*required, *optional))
        return found

    def reasons(self) -> dict[str, str]:
        """The rest of the section: any reasons, in the order of the file."""
        for reason in self._left:
            if not REASON.fullmatch(reason):
                raise self.wrong(reason, f"a reason like {REASON.pattern}", reason)
        return {reason: self.text(reason) for reason in list(self._left)}

    def number(self, key: str, default: float) -> float:
        found = self._left.pop(key, default)
        if isinstance(found, bool) or not isinstance(found, int | float) or found < 0:
            raise self.wrong(key, "a number from 0", found)
        return found

    def list(self, key: str, kind: type) -> list[Any]:
        found = self._left.pop(key, [])
        if not isinstance(found, list) or not all(type(value) is kind for value in found):
            raise self.wrong(key, f"a list of {kind.__name__}", found)
        return found

    def day(self, key: str) -> str | None:
        found = self._left.pop(key, None)
        if found is not None and type(found) is not date:
            raise self.wrong(key, "a date such as 2011-11-09, without quotes", found)
        return found.isoformat() if found else None

    def nothing_else(self, allowed: tuple[str, ...] = ()) -> None:
        for key, value in self._left.items():
            hint = f"; known are {', '.join(allowed)}" if allowed else ""
            raise self.wrong(key, f"no such key{hint}", value)
