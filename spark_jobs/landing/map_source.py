"""Rows of a source → canonical columns, by the Spark SQL of the source file."""

import re
from collections.abc import Callable, Mapping

from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, TimestampNTZType, TimestampType

from pipeline.runtime.errors import SourceError
from pipeline.sources.source import ITEM_COLUMNS, LANDED, RESERVED, UNKNOWN_FIELDS, Drop, Source
from spark_jobs.landing.strict import VALUE, Attempts

UNKNOWN = "unknown."  # begins the names of attributes that the source does not declare
UNREADABLE = "unreadable."  # and of those that keep what a canonical column could not be read from
EVIDENCE_LENGTH = 80
IDS = ("user_id", "item_id")
NUMBERS = ("quantity", "price", "rating", "propensity")
TYPES = {
    "user_id": "string",
    "item_id": "string",
    "event_type": "string",
    "event_time": "timestamp",
    "quantity": "double",
    "price": "double",
    "query": "string",
    "text": "string",
    "rating": "double",
    "campaign_id": "string",
    "propensity": "double",
    "attributes": "map<string,string>",
    **dict.fromkeys(ITEM_COLUMNS, "string"),
}


def event_time(rows: DataFrame, source: Source) -> Column:
    """When the event of a row of the source happened, NULL where it cannot be read. Raises like `map_source`."""
    typed = _typed(rows, source, {"event_time": source.event["event_time"]})
    return Attempts(rows).tried(typed["event_time"])[VALUE]


def map_source(rows: DataFrame, source: Source) -> DataFrame:
    """One row per row: its place, the canonical columns (raw ids), `problem` and `unreadable`.

    `problem` is why the row could not be read, else the first [reject] condition that holds. `unreadable` has a flag
    per canonical column: the file holds something, and the expression cannot read it. Where the source says
    `on_error = "null"` there is no flag: the value is NULL, and what was found is kept in `attributes`. Raises
    SourceError naming the key, the SQL and Spark's reason when one cannot be evaluated.
    """
    attempts = Attempts(rows)
    typed = _typed(rows, source, source.event)
    conditions = {f"reject.{reason}": sql for reason, sql in source.reject.items()}
    checked_types(rows, source, conditions)
    rejects = {reason: F.expr(sql).cast("boolean") for reason, sql in source.reject.items()}
    attempts.analyse([*typed.values(), *rejects.values()])
    read = {name: attempts.columns_of(value) for name, value in typed.items()}
    tried = {
        f"{RESERVED}{name}": attempts.tried(value, _numbers(source, name), name in IDS) for name, value in typed.items()
    }
    tried |= {f"{RESERVED}reject.{reason}": attempts.lenient(condition) for reason, condition in rejects.items()}
    evidence = {name: _evidence(read[name]) for name in typed}
    failed = {name: _failed(name) & (evidence[name].isNotNull() if read[name] else F.lit(True)) for name in typed}
    kept = {name: evidence[name] for name in typed if not source.rejects(name)}
    unreadable = [(failed[name] if name in typed and name not in kept else F.lit(False)).alias(name) for name in TYPES]
    place = F.col(f"`{LANDED}`")
    return rows.withColumns(tried).select(
        F.lit(source.platform).alias("platform"),
        place["ds"].alias("ds"),
        place["source_file"].alias("source_file"),
        F.struct(place["line"].alias("line"), place["sha256"].alias("sha256")).alias("evidence"),
        F.coalesce(place["problem"], *_rejections(source)).alias("problem"),
        *[_canonical(source, name).alias(name) for name in TYPES if name != "attributes"],
        _attributes(source, {name: F.when(failed[name], found) for name, found in kept.items()}).alias("attributes"),
        F.struct(*unreadable).alias("unreadable"),
    )


def checked_types(rows: DataFrame, source: Source, expressions: Mapping[str, str]) -> dict[str, DataType]:
    """The types of expressions by their keys. Raises SourceError for the first that cannot be evaluated on the rows."""
    try:
        kinds = [field.dataType for field in rows.select(*map(F.expr, expressions.values())).schema]
    except (AnalysisException, ParseException):
        kinds = []
    if len(kinds) != len(expressions):  # one at a time, to say which it is
        return {key: _checked_type(rows, source, key, sql) for key, sql in expressions.items()}
    return dict(zip(expressions, kinds, strict=True))


def _checked_type(rows: DataFrame, source: Source, key: str, sql: str) -> DataType:
    try:
        return rows.select(F.expr(sql)).schema[0].dataType
    except (AnalysisException, ParseException) as error:
        reason = " ".join(str(error).split(" SQLSTATE")[0].split())
        raise SourceError(f"{source.file}: {key} = {sql.strip()!r}: {reason}; correct it") from None


def _typed(rows: DataFrame, source: Source, expressions: Mapping[str, str]) -> dict[str, Column]:
    """The expression of each canonical column in the column's type; a local time as the instant that it is."""
    kinds = checked_types(rows, source, {f"event.{name}": sql for name, sql in expressions.items()})
    _check_time(source, kinds["event.event_time"])
    typed = {}
    for name, sql in expressions.items():
        value = F.expr(sql)
        if name in NUMBERS and not source.delivery.plain_numbers and re.search(r"(?i)\b(replace|translate)\s*\(", sql):
            raise SourceError(
                f"{source.file}: event.{name} = {sql.strip()!r}: expected a number as it is in the file, because "
                "`decimal` and `thousands` say how to read it; leave the replacing out, or those keys"
            )
        if name == "event_time" and isinstance(kinds["event.event_time"], TimestampNTZType):
            # The session's zone is UTC: the cast keeps the clock's reading, the shift makes it UTC.
            typed[name] = F.to_utc_timestamp(value.cast("timestamp"), source.timezone)
        else:
            typed[name] = value.cast(TYPES[name])
    try:
        rows.select(*typed.values())
    except AnalysisException:
        _check_casts(rows, source, typed, kinds)
        raise
    return typed


def _check_time(source: Source, kind: DataType) -> None:
    if not isinstance(kind, TimestampType | TimestampNTZType):
        raise SourceError(
            f"{source.file}: event.event_time = {source.event['event_time'].strip()!r}: expected TIMESTAMP (an "
            f"instant) or TIMESTAMP_NTZ (local time), found {kind.simpleString().upper()}; use to_timestamp or "
            "to_timestamp_ntz"
        )


def _check_casts(rows: DataFrame, source: Source, typed: dict[str, Column], kinds: dict[str, DataType]) -> None:
    """Raises SourceError for the first value that has no cast to its column's type."""
    for name, value in typed.items():
        try:
            rows.select(value)
        except AnalysisException:
            raise SourceError(
                f"{source.file}: event.{name} = {source.event[name].strip()!r}: expected {TYPES[name].upper()}, found "
                f"{kinds[f'event.{name}'].simpleString().upper()}; cast it"
            ) from None


def _numbers(source: Source, name: str) -> Callable[[Column], Column] | None:
    """How a text column is read by the expression of a number, where the source says how numbers are written."""
    if name not in NUMBERS or source.delivery.plain_numbers:
        return None
    return lambda text: plain_number(text, source.delivery)


def plain_number(text: Column, drop: Drop) -> Column:
    """A number as SQL reads it, made of one with the source's decimal sign and thousands separator.

    What looks like a number and is not written so becomes a text that no cast reads; other texts stay.
    """
    decimal, thousands = re.escape(drop.decimal), re.escape(drop.thousands)
    grouped = rf"[0-9]{{1,3}}({thousands}[0-9]{{3}})+|" if thousands else ""
    right = text.rlike(rf"^\s*[+-]?({grouped}[0-9]+)({decimal}[0-9]+)?\s*$")
    digits = F.replace(text, F.lit(drop.thousands), F.lit("")) if thousands else text
    plain = F.replace(digits, F.lit(drop.decimal), F.lit("."))
    like = text.rlike(r"^\s*[+-]?[0-9][0-9.,' \u00a0\u202f]*$")
    return F.when(right, plain).when(like, F.concat(F.lit("no number: "), text)).otherwise(text)


def _value(name: str) -> Column:
    return F.col(f"`{RESERVED}{name}`")[VALUE]


def _failed(name: str) -> Column:
    """Whether the expression raised, or gave a number that is none."""
    raised = F.col(f"`{RESERVED}{name}`").isNull()
    if name not in NUMBERS:
        return raised
    return raised | F.coalesce(F.isnan(_value(name)) | (F.abs(_value(name)) == float("inf")), F.lit(False))


def _evidence(columns: list[str]) -> Column:
    """What the file holds in the columns, cut; NULL when there is nothing, or only blanks."""
    texts = []
    for name in columns:
        text = F.col(f"`{name.replace('`', '``')}`").cast("string")
        texts.append(F.when(F.trim(text) != "", F.substring(text, 1, EVIDENCE_LENGTH)))
    found = F.concat_ws(", ", *texts)
    return F.nullif(F.substring(found, 1, EVIDENCE_LENGTH), F.lit(""))


def _rejections(source: Source) -> list[Column]:
    """Reasons of the conditions that hold; one that cannot be evaluated on a row rejects it as `bad_<reason>`."""
    found = []
    for reason in source.reject:
        tried = F.col(f"`{RESERVED}reject.{reason}`")
        found += [F.when(tried.isNull(), f"bad_{reason}"), F.when(tried[VALUE], reason)]
    return found


def _canonical(source: Source, name: str) -> Column:
    """A canonical column in its type; null where the source has no expression for it, or it cannot be read."""
    if name not in source.event:
        return F.lit(None).cast(TYPES[name])
    value = _value(name)
    if name in NUMBERS and not source.rejects(name):
        value = F.when(~_failed(name), value)
    if TYPES[name] == "string":
        value = F.nullif(value, F.lit(""))
    return F.concat(F.lit(f"{source.platform}:"), value) if name == "item_id" else value


def _attributes(source: Source, unreadable: dict[str, Column]) -> Column:
    """Attributes, as `unknown.<name>` the fields that the source does not declare, and what could not be read."""
    kind = TYPES["attributes"]
    nothing = F.create_map().cast(kind)
    attributes = _value("attributes") if "attributes" in source.event else F.lit(None).cast(kind)
    unknown = F.transform_keys(f"`{UNKNOWN_FIELDS}`", lambda name, _: F.concat(F.lit(UNKNOWN), name))
    maps = [F.coalesce(attributes, nothing), F.coalesce(unknown, nothing)]
    if unreadable:
        pairs = [part for name, found in unreadable.items() for part in (F.lit(UNREADABLE + name), found)]
        maps.append(F.map_filter(F.create_map(*pairs).cast(kind), lambda _, value: value.isNotNull()))
    both = F.map_concat(*maps)
    return F.when(F.size(both) > 0, both)
