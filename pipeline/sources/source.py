"""Source files: one TOML per platform says what lands, when, and how a row maps to an event.

`docs/sources.md` explains every key. Reading one is light: no Spark, no data.
"""

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pipeline.runtime.errors import SourceError
from pipeline.runtime.toml_section import Section, open_toml

FORMATS = ("jsonl", "csv", "parquet")
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
    top = open_toml(file, SourceError)
    delivery = _delivery(top.section("delivery"))
    event = top.section("event").texts(REQUIRED_EVENT, OPTIONAL_EVENT)
    reject = _reasons(top.section("reject", optional=True))
    items = _items(top.section("items")) if top.has("items") else None
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


def _delivery(section: Section) -> Delivery:
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


def _items(section: Section) -> Items:
    drop = _drop(section)
    expressions = section.texts(("item_id",), ITEMS)
    return Items(**drop, expressions=expressions)


def _drop(section: Section) -> dict[str, Any]:
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


def _encoding(section: Section) -> str:
    name = section.text("encoding", default="utf-8")
    try:
        plain = codecs.decode(b'\n,"{', name) == '\n,"{'  # lines are cut before decoding
    except (LookupError, UnicodeDecodeError):
        plain = False
    if not plain:
        raise section.wrong("encoding", "an encoding that keeps ASCII as it is", name)
    return codecs.lookup(name).name


def _zone(top: Section) -> str:
    name = top.text("timezone")
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise top.wrong("timezone", "an IANA time zone such as Europe/Berlin", name) from None
    return name


def _reasons(section: Section) -> dict[str, str]:
    """The whole section: any reasons, in the order of the file."""
    for reason in section.left():
        if not REASON.fullmatch(reason):
            raise section.wrong(reason, f"a reason like {REASON.pattern}", reason)
    return {reason: section.text(reason) for reason in section.left()}
