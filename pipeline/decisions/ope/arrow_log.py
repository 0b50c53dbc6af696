"""A log from an Arrow table: `action` and `propensity` as logged, `reward`, and what else there is.

    log, strata = log_of(table, arms=("red", "blue"))

`segment` and `position`, where the table has them, make the strata; `user_id` the clusters. With `impression_id`, one
that stands there twice is refused (a second conversion was joined to it), with `shown_at` and `rewarded_at` a reward
that came before its impression.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.decisions.ope.log import Log
from pipeline.runtime.errors import FeedbackError

REQUIRED = ("action", "reward", "propensity")
STRATA = ("segment", "position")


def log_of(table: pa.Table, arms: tuple[str, ...]) -> tuple[Log, list[tuple[str, ...]]]:
    """The log, and what each stratum stands for, in the order of policies' rows.

    Raises FeedbackError for a column that is missing, a null, or an action that is no arm.
    """
    for name in REQUIRED:
        if name not in table.column_names:
            raise FeedbackError(f"log: expected a column {name}, found {', '.join(table.column_names)}")
        _refuse_null(table, name)
    numbers = pc.index_in(table["action"].cast(pa.string()), value_set=pa.array(arms))
    if numbers.null_count:
        row = pc.index(numbers.is_null(), True).as_py()
        raise FeedbackError(
            f"log, row {row}: action: expected one of {', '.join(arms)}, found "
            f"{table['action'][row].as_py()!r}; an arm that vanished stays in the list of arms"
        )
    _check_conversions(table)
    stratum, names = _strata(table)
    cluster = _numbered(table["user_id"])[0] if "user_id" in table.column_names else None
    reward, propensity = (table[name].to_numpy().astype(float) for name in REQUIRED[1:])
    log = Log.checked(arms, numbers.to_numpy(), reward, propensity, stratum, cluster=cluster)
    return log, names


def _refuse_null(table: pa.Table, name: str) -> None:
    if table[name].null_count:
        row = pc.index(table[name].is_null(), True).as_py()
        raise FeedbackError(f"log, row {row}: {name}: expected a value, found none")


def _check_conversions(table: pa.Table) -> None:
    columns = table.column_names
    if "impression_id" in columns:
        _refuse_null(table, "impression_id")
        _, first = np.unique(table["impression_id"].to_numpy(), return_index=True)
        if len(first) < table.num_rows:
            row = int(np.setdiff1d(np.arange(table.num_rows), first)[0])
            raise FeedbackError(
                f"log, row {row}: impression_id: expected each once, found "
                f"{table['impression_id'][row].as_py()!r} again; count one conversion of it"
            )
    if "shown_at" in columns and "rewarded_at" in columns:
        never = pc.and_(table["rewarded_at"].is_valid(), table["shown_at"].is_null())
        early = pc.or_kleene(pc.less(table["rewarded_at"], table["shown_at"]), never)
        if pc.any(early).as_py():
            row = pc.index(early, True).as_py()
            shown = table["shown_at"][row].as_py()
            raise FeedbackError(
                f"log, row {row}: rewarded_at: expected a time from "
                f"{'its impression' if shown is None else shown} on, "
                f"found {table['rewarded_at'][row]}; check the clocks"
            )


def _strata(table: pa.Table) -> tuple[np.ndarray, list[tuple[str, ...]]]:
    stratum = np.zeros(table.num_rows, np.int32)
    names: list[tuple[str, ...]] = [()]
    for column in STRATA:
        if column in table.column_names:
            number, values = _numbered(table[column])
            stratum = (stratum * len(values) + number).astype(np.int32)
            names = [(*name, value) for name in names for value in values]
    return stratum, names


def _numbered(column: pa.ChunkedArray) -> tuple[np.ndarray, list[str]]:
    """Numbers of the sorted values, and the values as text."""
    texts = column.cast(pa.string()).fill_null("").to_numpy()
    values, number = np.unique(texts, return_inverse=True)
    return number, [str(value) for value in values]
