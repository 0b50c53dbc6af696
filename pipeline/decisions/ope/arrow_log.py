"""A log from a frame: `action` and `propensity` as logged, `reward`, and what else there is.

    log, strata = log_of(table, arms=("red", "blue"))

The frame is pandas, Polars or Arrow. `segment` and `position`, where it has them, make the strata; `user_id` the
clusters. With `impression_id`, one that stands there twice is refused (a second conversion was joined to it), with
`shown_at` and `rewarded_at` a reward that came before its impression.
"""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.decisions.ope.log import Log
from pipeline.runtime.errors import FeedbackError
from pipeline.runtime.frames import arrow_of, instants, plain, shown

REQUIRED = ("action", "reward", "propensity")
STRATA = ("segment", "position")
TIMES = ("shown_at", "rewarded_at")
KNOWN = (*REQUIRED, *STRATA, *TIMES, "user_id", "impression_id")
# Why a value that is missing cannot be passed over, by column.
ABSENT = {
    "user_id": "give anonymous impressions an id of their own, such as that of the session, or leave the column out",
    **dict.fromkeys(STRATA, "give them a name of their own, such as 'none', which policies then have a row for"),
}


def log_of(frame: Any, arms: tuple[str, ...]) -> tuple[Log, list[tuple[str, ...]]]:
    """The log, and what each stratum stands for, in the order of policies' rows.

    Raises FeedbackError for a column that is missing or of the wrong type, a value that is missing, an action that is
    no arm, a number that cannot be right, a second conversion, and times that cannot be compared or go backwards.
    """
    table = arrow_of(frame, "log", FeedbackError)
    table = pa.table({name: plain(table[name]) for name in KNOWN if name in table.column_names} or {"": [None]})
    for name in REQUIRED:
        if name not in table.column_names:
            raise FeedbackError(f"log: expected a column {name}, found {', '.join(table.column_names)}")
    for name in (*REQUIRED, *STRATA, "user_id", "impression_id"):
        if name in table.column_names:
            _refuse_missing(table, name)
    numbers = pc.index_in(_texts(table, "action"), value_set=pa.array(arms))
    if numbers.null_count:
        row = pc.index(numbers.is_null(), True).as_py()
        raise FeedbackError(
            f"log, row {row}: action: expected one of {', '.join(arms)}, found "
            f"{shown(table['action'][row].as_py())}; an arm that vanished stays in the list of arms"
        )
    _refuse_second_conversions(table)
    _refuse_early_rewards(table)
    stratum, names = _strata(table)
    cluster = _numbered(table, "user_id")[0] if "user_id" in table.column_names else None
    reward, propensity = (_numbers(table, name) for name in REQUIRED[1:])
    return Log.checked(arms, numbers.to_numpy(), reward, propensity, stratum, cluster=cluster), names


def _refuse_missing(table: pa.Table, name: str) -> None:
    """Null; of ids, groups and arms also NaN and a blank text."""
    column = table[name]
    missing = column.is_null(nan_is_null=name not in REQUIRED)
    if name != "action" and pa.types.is_string(column.type):
        missing = pc.or_(missing, pc.fill_null(pc.equal(pc.utf8_trim_whitespace(column), ""), False))
    row = pc.index(missing, True).as_py()
    if row >= 0:
        why = f"; {ABSENT[name]}" if name in ABSENT else "; leave the row out, or mend the log"
        raise FeedbackError(f"log, row {row}: {name}: expected a value, found none{why}")


def _numbers(table: pa.Table, name: str) -> np.ndarray:
    kind = table[name].type
    is_number = any(of(kind) for of in (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal))
    if not is_number and not (name == "reward" and pa.types.is_boolean(kind)):
        found = f", such as {shown(table[name][0].as_py())} in row 0" if len(table) else ""
        raise FeedbackError(f"log: {name}: expected numbers, found {kind}{found}; convert the column")
    values: np.ndarray = table[name].cast(pa.float64(), safe=False).to_numpy()
    return values


def _refuse_second_conversions(table: pa.Table) -> None:
    if "impression_id" not in table.column_names:
        return
    numbers = table["impression_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    _, first = np.unique(numbers, return_index=True)
    if len(first) < table.num_rows:
        row = int(np.setdiff1d(np.arange(table.num_rows), first)[0])
        raise FeedbackError(
            f"log, row {row}: impression_id: expected each once, found "
            f"{shown(table['impression_id'][row].as_py())} again; count one conversion of it"
        )


def _refuse_early_rewards(table: pa.Table) -> None:
    """Refuses times that are no instants, cannot be compared, or put a reward before its impression."""
    found = [name for name in TIMES if name in table.column_names]
    kinds = " and ".join(f"{name} {table[name].type}" for name in found)
    for name in found:
        kind = table[name].type
        is_instant = pa.types.is_timestamp(kind) and kind.tz is not None
        if not (is_instant or pa.types.is_integer(kind) or pa.types.is_null(kind)):
            row = max(pc.index(table[name].is_valid(), True).as_py(), 0)
            value = shown(str(table[name][row])) if len(table) else "no rows"
            raise FeedbackError(
                f"log, row {row}: {name}: expected instants (timestamps with a time zone, or whole numbers since the "
                f"same moment), found {value}: {kinds}; give times the zone that they were written in"
            )
    if len(found) < len(TIMES):
        return
    shown_at, rewarded_at = (table[name] for name in TIMES)
    counted = [pa.types.is_integer(column.type) for column in (shown_at, rewarded_at)]
    timed = [pa.types.is_timestamp(column.type) for column in (shown_at, rewarded_at)]
    if any(counted) and any(timed):
        raise FeedbackError(
            f"log: shown_at, rewarded_at: expected both of one kind, found {kinds}; convert one of them"
        )
    if any(timed):  # of one unit and zone, or Arrow cannot compare them
        shown_at, rewarded_at = (instants(table[name], name, "log", FeedbackError) for name in TIMES)
    never = pc.and_(rewarded_at.is_valid(), shown_at.is_null())
    early = pc.or_kleene(pc.less(rewarded_at, shown_at), never)
    row = pc.index(early, True).as_py()
    if row >= 0:
        since = shown_at[row].as_py()
        raise FeedbackError(
            f"log, row {row}: rewarded_at: expected a time from {'its impression' if since is None else since} on, "
            f"found {rewarded_at[row]}; check the clocks"
        )


def _strata(table: pa.Table) -> tuple[np.ndarray, list[tuple[str, ...]]]:
    stratum = np.zeros(table.num_rows, np.int64)
    names: list[tuple[str, ...]] = [()]
    for column in STRATA:
        if column in table.column_names:
            number, values = _numbered(table, column)
            stratum = stratum * len(values) + number
            names = [(*name, value) for name in names for value in values]
    return stratum, names


def _numbered(table: pa.Table, name: str) -> tuple[np.ndarray, list[str]]:
    """Numbers of the sorted values, and the values as text."""
    values, number = np.unique(_texts(table, name).to_numpy(), return_inverse=True)
    return number, [str(value) for value in values]


def _texts(table: pa.Table, name: str) -> pa.ChunkedArray:
    try:
        return table[name].cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise FeedbackError(
            f"log: {name}: expected text or numbers, found {table[name].type}; convert the column"
        ) from None
