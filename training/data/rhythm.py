"""When a user comes back: gaps, decayed visits, baskets and returns, from the daily counts."""

from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from pipeline.tables.registry import EVENT_TYPES, IMPRESSION
from training.data.arrow import Column, codes, day_numbers, floats, lengths, plain

HALF_LIVES = (7, 14, 28, 56, 112, 224)  # days
EARLIER = (2, 3, 5)  # visits back
LONG_AGO = (337, 365)  # days: the month after the cut-off, one year earlier
VISITS = (
    *(f"visit_{number}_ago" for number in EARLIER),
    "gap_last",
    "gap_mean",
    "gap_spread",
    "gap_longest",
    *(f"decayed_{days}d" for days in HALF_LIVES),
    "rate",
    "overdue",
    "speeding_up",
)
BASKETS = ("basket_last", "basket_mean", "basket_largest", "value_last", "value_mean", "value_largest")
RETURNS = (
    "return_recency",
    "return_days",
    "returns_decayed_28d",
    "returns_decayed_112d",
    "return_days_share",
    "returns_share",
    "returned_value_share",
)
RHYTHM = (
    *(f"active_{name}" for name in VISITS),
    *(f"purchase_{name}" for name in VISITS),
    *BASKETS,
    *RETURNS,
    "bought_a_year_ago",
)


@dataclass(frozen=True)
class Visits:
    """Distinct days of rows, newest first, with the events and the value of each."""

    row: np.ndarray
    ago: np.ndarray
    events: np.ndarray
    value: np.ndarray
    size: int  # rows

    @property
    def count(self) -> np.ndarray:
        return np.bincount(self.row, minlength=self.size)

    def at(self, what: np.ndarray, number: int) -> np.ndarray:
        """[rows] value of the `number`-th newest visit; NaN where there are fewer."""
        count = self.count
        place = np.cumsum(count) - count + number - 1
        found = np.append(what.astype(np.float64), np.nan)
        return found[np.where(count >= number, place, len(what))]

    def total(self, what: np.ndarray) -> np.ndarray:
        return np.bincount(self.row, what, self.size)

    def decayed(self, half_life: float) -> np.ndarray:
        return self.total(0.5 ** (self.ago / half_life))

    def largest(self, what: np.ndarray, row: np.ndarray | None = None) -> np.ndarray:
        """[rows] largest value; NaN where there is none."""
        found = np.full(self.size, -np.inf)
        np.maximum.at(found, self.row if row is None else row, what)
        return np.where(np.isinf(found), np.nan, found)


def rhythm(daily: Column, as_of: np.ndarray) -> np.ndarray:
    """[rows, RHYTHM] float32, log(1 + value), NaN where undefined; from tables.DAILY_COUNTS."""
    lists = plain(daily)
    rows, days = np.repeat(np.arange(len(lists)), lengths(lists)), lists.flatten()
    ago = np.maximum(as_of[rows] - day_numbers(pc.struct_field(days, "arrival_ds")), 0)
    kind = codes(pc.struct_field(days, "event_type"), EVENT_TYPES)
    events, value = (floats(pc.struct_field(days, name)) for name in ("events", "value"))

    def visits(keep: np.ndarray) -> Visits:
        return _visits(rows[keep], ago[keep], events[keep], value[keep], len(lists))

    active = visits(kind != EVENT_TYPES.index(IMPRESSION))
    bought = visits(kind == EVENT_TYPES.index("purchase"))
    returned = visits(kind == EVENT_TYPES.index("return"))
    low, high = LONG_AGO
    columns = [
        *_visit_columns(active),
        *_visit_columns(bought),
        *_basket_columns(bought),
        *_return_columns(returned, bought),
        bought.total((bought.ago >= low) & (bought.ago < high)),
    ]
    return np.log1p(np.maximum(np.stack(columns, axis=1), 0)).astype(np.float32)


def _visits(rows: np.ndarray, ago: np.ndarray, events: np.ndarray, value: np.ndarray, size: int) -> Visits:
    pairs, place = np.unique(rows.astype(np.int64) << 32 | ago, return_inverse=True)
    return Visits(
        pairs >> 32,
        pairs & 0xFFFFFFFF,
        np.bincount(place, events, len(pairs)),
        np.bincount(place, value, len(pairs)),
        size,
    )


def _visit_columns(visits: Visits) -> list[np.ndarray]:
    """[rows] each, in the order of VISITS."""
    same = visits.row[1:] == visits.row[:-1]
    gap, row = np.diff(visits.ago)[same], visits.row[1:][same]
    count = np.bincount(row, minlength=visits.size)
    recency = visits.at(visits.ago, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(row, gap, visits.size) / count
        spread = np.sqrt(np.bincount(row, (gap - mean[row]) ** 2, visits.size) / count)
        overdue = np.minimum(recency / np.maximum(mean, 5), 10)
    decayed = [visits.decayed(days) for days in HALF_LIVES]
    return [
        *(visits.at(visits.ago, number) for number in EARLIER),
        visits.at(visits.ago, 2) - recency,
        mean,
        spread,
        visits.largest(gap, row),
        *decayed,
        visits.count / (visits.largest(visits.ago) + 30),
        overdue,
        (decayed[2] + 0.1) / (decayed[4] + 0.1),
    ]


def _basket_columns(bought: Visits) -> list[np.ndarray]:
    """[rows] each, in the order of BASKETS."""
    found = []
    for what in (bought.events, bought.value):
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = bought.total(what) / bought.count
        found += [bought.at(what, 1), mean, bought.largest(what)]
    return found


def _return_columns(returned: Visits, bought: Visits) -> list[np.ndarray]:
    """[rows] each, in the order of RETURNS; shares are of what was bought and are at most 1."""
    days = returned.count.astype(np.float64)
    shares = [
        np.minimum(part / np.maximum(whole, 1), 1)
        for part, whole in (
            (days, bought.count),
            (returned.total(returned.events), bought.total(bought.events)),
            (returned.total(returned.value), bought.total(bought.value)),
        )
    ]
    decayed = [returned.decayed(half_life) for half_life in (28, 112)]
    return [returned.at(returned.ago, 1), days, *decayed, *shares]
