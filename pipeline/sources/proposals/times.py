"""How a column of times is written: its Spark SQL, the share that can be read so, and what the times say of a zone."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import polars as pl

from pipeline.sources.proposals.layout import Field

FIRST, LAST = 599_616_000, 2_145_916_800  # 1989 and 2038, seconds: times of logs lie between them
UNITS = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
EPOCH = {
    "seconds": "timestamp_seconds(CAST({sql} AS BIGINT))",
    "milliseconds": "timestamp_millis(CAST({sql} AS BIGINT))",
    "microseconds": "timestamp_micros(CAST({sql} AS BIGINT))",
    "nanoseconds": "timestamp_micros(CAST({sql} AS BIGINT) div 1000)",
}
CLOCK = r"(\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?)"
DAYS = {  # pattern of the date -> Spark's letters, Polars' letters
    r"\d{4}/\d{2}/\d{2}": ("yyyy/MM/dd", "%Y/%m/%d"),
    r"\d{1,2}\.\d{1,2}\.\d{4}": ("d.M.yyyy", "%d.%m.%Y"),
    r"\d{1,2}/\d{1,2}/\d{4}": ("d/M/yyyy", "%d/%m/%Y"),
    r"\d{1,2}-\d{1,2}-\d{4}": ("d-M-yyyy", "%d-%m-%Y"),
    r"\d{8}": ("yyyyMMdd", "%Y%m%d"),
}


@dataclass(frozen=True)
class Times:
    """One way to read a column. `local` times are of the source's zone; `doubt` is what could not be decided."""

    field: Field
    sql: str
    words: str
    share: float
    local: bool
    instants: pl.Series
    doubt: str = ""

    @property
    def span(self) -> str:
        first, last = self.instants.min(), self.instants.max()
        return f"{str(first)[:16]} to {str(last)[:16]}"


def times_of(field: Field) -> Times | None:
    """The best way to read a field as times; None where less than half of it is any."""
    values = field.values.drop_nulls()
    if isinstance(values.dtype, pl.Datetime | pl.Date):
        return _typed(field, values)
    texts = field.texts.str.strip_chars()
    if not len(texts) or values.dtype in (pl.Float32, pl.Float64, pl.Boolean):
        return None
    found = max(_ways(field, texts), key=lambda way: way.share, default=None)
    return found if found is not None and found.share > 0.5 else None


def _typed(field: Field, values: pl.Series) -> Times:
    local = getattr(values.dtype, "time_zone", None) is None
    instants = (
        values.cast(pl.Datetime("us")) if local else values.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    )
    sql = f"CAST({field.sql} AS TIMESTAMP_NTZ)" if local else field.sql
    return Times(field, sql, f"typed {values.dtype}", 1.0, local, instants.cast(pl.Datetime("us")))


def _ways(field: Field, texts: pl.Series) -> Iterator[Times]:
    yield from _epochs(field, texts)
    digits = texts.filter(texts.str.contains(r"^(19|20)\d{10}(\d{2})?$"))
    if len(digits):
        letters = "yyyyMMddHHmmss" if digits.str.len_chars().max() == 14 else "yyyyMMddHHmm"
        instants = digits.str.slice(0, 12).str.to_datetime("%Y%m%d%H%M", strict=False, time_unit="us").drop_nulls()
        sql = f"to_timestamp_ntz({field.sql}, '{letters}')"
        yield Times(field, sql, f"local times, {letters}", len(instants) / len(texts), True, instants)
    iso = texts.str.replace(r"[T ]", " ", literal=False)
    local = iso.filter(iso.str.contains(rf"^\d{{4}}-\d{{2}}-\d{{2}}( {CLOCK})?$"))
    if len(local):
        yield Times(
            field,
            f"to_timestamp_ntz({field.sql})",
            "local times without an offset" if local.str.len_chars().max() > 10 else "days without a time",  # type: ignore[operator]
            len(local) / len(texts),
            True,
            _read(local, "%Y-%m-%d"),
        )
    offset = iso.filter(iso.str.contains(rf"^\d{{4}}-\d{{2}}-\d{{2}} {CLOCK} ?(Z|UTC|GMT|[+-]\d{{2}}:?\d{{2}})$"))
    if len(offset):
        sql = f"to_timestamp({field.sql})"
        yield Times(field, sql, "times with an offset", len(offset) / len(texts), False, _read(offset, "%Y-%m-%d"))
    for pattern, (letters, polars_letters) in DAYS.items():
        found = iso.filter(iso.str.contains(rf"^{pattern}( {CLOCK})?$"))
        if len(found):
            yield _by_pattern(field, found, len(texts), letters, polars_letters)


def _epochs(field: Field, texts: pl.Series) -> Iterator[Times]:
    numbers = texts.filter(texts.str.contains(r"^\d{9,19}$")).cast(pl.Int64, strict=False).drop_nulls()
    for unit, per_second in UNITS.items():
        inside = numbers.filter(numbers.is_between(FIRST * per_second, LAST * per_second))
        if len(inside):
            micros = inside * (10**6 // per_second) if per_second <= 10**6 else inside // (per_second // 10**6)
            sql = EPOCH[unit].format(sql=field.sql)
            instants = micros.cast(pl.Datetime("us"))
            yield Times(field, sql, f"epoch {unit}", len(inside) / len(texts), False, instants)


def _by_pattern(field: Field, found: pl.Series, total: int, letters: str, polars_letters: str) -> Times:
    """A date in another order, maybe with a clock; whether day or month comes first is told by numbers above 12."""
    doubt = ""
    if letters.startswith("d"):
        parts = found.str.extract_all(r"\d+")
        first, second = (parts.list.get(place).cast(pl.Int32) for place in (0, 1))
        if second.max() > 12:  # type: ignore[operator]
            swapped = letters.replace("d", "?").replace("M", "d").replace("?", "M")
            letters, polars_letters = (
                swapped,
                polars_letters.replace("%d", "%?").replace("%m", "%d").replace("%?", "%m"),
            )
        elif first.max() <= 12:  # type: ignore[operator]
            doubt = "no date tells whether the day or the month comes first; the day was assumed"
    clocks = found.str.extract(rf" {CLOCK}$", 1).drop_nulls()
    clock = {0: "", 1: " H:mm", 2: " H:mm:ss"}[int(clocks.str.count_matches(":").max() or 0)] if len(clocks) else ""  # type: ignore[arg-type]
    if len(clocks) and clocks.str.contains(".", literal=True).any():
        clock += "[.SSSSSS]"
    sql = f"to_timestamp_ntz({field.sql}, '{letters}{clock}')"
    words = f"local times, {letters}{clock}"
    return Times(field, sql, words, len(found) / total, True, _read(found, polars_letters), doubt)


def _read(texts: pl.Series, letters: str) -> pl.Series:
    """The clock's reading, to the second: good enough for spans and hours."""
    day = texts.str.extract(r"^(\S+)", 1)
    clock = texts.str.extract(r" (\d{1,2}:\d{2})", 1).fill_null("0:00")
    both = day + " " + clock
    return both.str.to_datetime(f"{letters} %H:%M", strict=False, time_unit="us").drop_nulls()


def zone_hint(times: Times) -> str:
    """What the quiet hours of the sample say of the clock on the users' walls; empty where they say nothing."""
    hours = times.instants.dt.hour()
    counts = [int((hours == hour).sum()) for hour in range(24)]
    if len(hours) < 500 or min(counts) == max(counts) or sum(count > 0 for count in counts) < 12:
        return ""
    window: Callable[[int], int] = lambda begin: sum(counts[(begin + step) % 24] for step in range(5))  # noqa: E731
    quiet = min(range(24), key=window)
    if window(quiet) > 0.12 * sum(counts):
        return ""
    shift = (2 - quiet + 11) % 24 - 11  # the five quiet hours of people end at about seven
    clock = "the file's clock" if times.local else "UTC"
    return f"quietest from {quiet:02d} to {(quiet + 5) % 24:02d} {clock}: users seem to live at {clock} {shift:+d} h"
