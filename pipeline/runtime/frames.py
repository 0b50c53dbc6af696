"""Frames that callers hand in, as Arrow: pandas, Polars (lazy too), Arrow tables, batches, readers.

    table = arrow_of(labels, "entity_df", UsageError)

What a library would change on the way without a word is refused here instead, with its column and row: a time without a
zone among times that have one, a column of several types, two columns of one name, an opaque Polars object.
"""

from datetime import datetime
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.runtime.errors import TidemarkError

SHOWN = 80  # characters of a value in a message


def shown(value: object) -> str:
    """A value for a message: escaped, and cut where it is long."""
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def arrow_of(frame: Any, name: str, error: type[TidemarkError]) -> pa.Table:
    """The frame as an Arrow table with the same rows, in order, and each column name once; without an index.

    Categories become their values and every kind of text `string`, so that each kind of frame gives the same table; an
    Arrow frame keeps its own types. `name` is what messages call the frame.

    Raises `error` for what is no frame, or cannot be converted as it is.
    """
    if isinstance(frame, pl.LazyFrame):
        frame = frame.collect()
    names = [str(column) for column in getattr(frame, "columns", ())] if _is_frame(frame) else None
    if names is not None:
        _refuse_repeated(names, name, error)
        columns = [
            _column(frame.iloc[:, at] if isinstance(frame, pd.DataFrame) else frame.to_series(at), column, name, error)
            for at, column in enumerate(names)
        ]
        return pa.table([plain(column) for column in columns], names=names)
    try:
        table = pa.table(frame)
    except (TypeError, ValueError, pa.ArrowException):
        raise error(
            f"{name}: expected a pandas, Polars or Arrow frame, found {type(frame).__name__}; convert it to one"
        ) from None
    _refuse_repeated(table.column_names, name, error)
    return table


def plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column with categories as their values, and text of any layout as `string`."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type):
        column = column.cast(pa.string())
    return column


def refuse_naive(table: pa.Table, name: str, error: type[TidemarkError]) -> None:
    """Raises `error` naming the first column of times without a zone: nobody knows which instants they are."""
    for field in table.schema:
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        if pa.types.is_timestamp(kind) and kind.tz is None:
            values = plain(table[field.name])
            row = pc.index(values.is_valid(), True).as_py()
            example = f", such as {values[row]} in row {row}" if row >= 0 else ""
            raise error(
                f"{name}: expected {field.name} as timestamps with a time zone, found {kind}{example}; without a zone "
                "it is unknown which day was over: give the times the zone that they were written in"
            )


def instants(times: pa.ChunkedArray, column: str, name: str, error: type[TidemarkError]) -> pa.ChunkedArray:
    """Zoned times of any unit in microseconds of UTC; of nanoseconds the rest is cut, never rounded into the next day.

    Raises `error` for a time beyond what fits, which a cast would wrap round.
    """
    is_finer = pa.types.is_timestamp(times.type) and times.type.unit == "ns"
    try:
        return times.cast(pa.timestamp("us", "UTC"), safe=not is_finer)
    except pa.ArrowInvalid as problem:
        raise error(f"{name}: expected {column} between the years 1 and 9999: {problem}; correct it") from None


def _is_frame(frame: Any) -> bool:
    return isinstance(frame, pd.DataFrame | pl.DataFrame)


def _refuse_repeated(names: list[str], name: str, error: type[TidemarkError]) -> None:
    repeated = next((column for at, column in enumerate(names) if column in names[:at]), None)
    if repeated is not None:
        raise error(f"{name}: expected each column once, found {shown(repeated)} again; rename one of them")


def _column(values: pd.Series | pl.Series, column: str, name: str, error: type[TidemarkError]) -> pa.ChunkedArray:
    if isinstance(values, pl.Series):
        if values.dtype == pl.Object:
            raise error(f"{name}: {column}: expected values of one type, found Python objects; cast the column")
        return pa.chunked_array([values.to_arrow()])
    if values.dtype == object:
        _refuse_some_naive(values, column, name, error)
    try:
        converted = pa.Array.from_pandas(values)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as problem:
        row, kind = _odd_one(values)
        raise error(
            f"{name}, row {row}: {column}: expected values of one type, found {shown(values.iloc[row])} ({kind}); "
            f"cast the column ({shown(str(problem.args[0]) if problem.args else '')})"
        ) from None
    return converted if isinstance(converted, pa.ChunkedArray) else pa.chunked_array([converted])


def _refuse_some_naive(values: pd.Series, column: str, name: str, error: type[TidemarkError]) -> None:
    """Arrow takes a time without a zone among others for UTC."""
    for row, instant in enumerate(values):
        if isinstance(instant, datetime) and not pd.isna(instant) and instant.tzinfo is None:
            raise error(
                f"{name}, row {row}: {column}: expected times with a time zone, found {shown(str(instant))} without "
                "one; give it the zone that it was written in"
            )


def _odd_one(values: pd.Series) -> tuple[int, str]:
    """The first row whose type is not that of the first value, and its type."""
    kinds = [(row, type(it).__name__) for row, it in enumerate(values) if not _is_missing(it)]
    return next(((row, kind) for row, kind in kinds if kind != kinds[0][1]), kinds[0] if kinds else (0, "nothing"))


def _is_missing(value: object) -> bool:
    return value is None or (pd.api.types.is_scalar(value) and bool(pd.isna(value)))
