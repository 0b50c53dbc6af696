"""How the scores of a night are spread, and how far they moved since the night before."""

import math
from dataclasses import dataclass

from pipeline.report.partitions import Partitions
from pipeline.report.shift import DECILES, bin_conditions, by_chance, psi, verdict
from pipeline.report.words import share
from pipeline.tables.registry import USER_FEATURES

BINS = 24  # drawn; the last one holds everything above
TAIL = 0.995  # the axis ends where this share of users is covered
TOPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)


@dataclass(frozen=True)
class Spread:
    """One propensity: shares of users by bins of [0, top], this night and the one before."""

    column: str
    meaning: str
    top: float
    now: list[float]
    then: list[float]  # empty without an earlier night
    mean: float | None
    mean_before: float | None
    psi: float | None
    chance: float | None  # PSI that chance alone would give

    @property
    def verdict(self) -> str:
        return verdict(self.psi)


def propensities() -> list[str]:
    """The columns that are propensities, as declared."""
    return [it.name for it in USER_FEATURES.columns if it.name.startswith("p_")]


def spreads(partitions: Partitions, ds: str) -> list[Spread]:
    """Every propensity of the night; empty when no user was scored."""
    if not partitions.count("user_features", ds):
        return []
    before = partitions.before("user_features", ds)
    found = [_spread(partitions, ds, before, column) for column in propensities()]
    return [spread for spread in found if spread is not None]


def _spread(partitions: Partitions, ds: str, before: str | None, column: str) -> Spread | None:
    mean, high = _summary(partitions, ds, column)
    if mean is None or high is None:
        return None  # a column that was declared after that night
    mean_before, high_before = _summary(partitions, before, column)
    edges = _deciles(partitions, before, column)
    then = _counts(partitions, before, bin_conditions(column, edges)) if edges else []
    now = _counts(partitions, ds, bin_conditions(column, edges)) if edges else []
    top = axis_end(max(high, high_before or 0.0))
    drawn = _drawn_bins(column, top)
    return Spread(
        column=column,
        meaning=USER_FEATURES.column(column).meaning,
        top=top,
        now=_shares(_counts(partitions, ds, drawn)),
        then=_shares(_counts(partitions, before, drawn)) if edges else [],
        mean=mean,
        mean_before=mean_before,
        psi=psi(then, now),
        chance=by_chance(then, now),
    )


def axis_end(high: float) -> float:
    """The end of an axis that covers `high`, a round number."""
    return next((top for top in TOPS if high <= top), 1.0)


def _drawn_bins(column: str, top: float) -> list[str]:
    width = top / BINS
    bounds = [f"{column} >= {n * width!r} AND {column} < {(n + 1) * width!r}" for n in range(BINS)]
    return [*bounds[:-1], f"{column} >= {(BINS - 1) * width!r}"]


def _summary(partitions: Partitions, ds: str | None, column: str) -> tuple[float | None, float | None]:
    """Mean and tail quantile, of numbers alone."""
    query = f"SELECT avg({column}), quantile_disc({column}, {TAIL}) FROM {{night}} WHERE NOT isnan({column})"
    mean, high = partitions.rows(query, night=("user_features", ds))[0]
    return (None, None) if mean is None or math.isnan(mean) else (float(mean), float(high))


def _deciles(partitions: Partitions, ds: str | None, column: str) -> list[float]:
    """Lowest, deciles and highest, each once; empty without users."""
    query = f"SELECT quantile_disc({column}, {list(DECILES)}) FROM {{night}}"
    found = partitions.rows(query, night=("user_features", ds))[0][0] or []
    return sorted({float(edge) for edge in found})


def _counts(partitions: Partitions, ds: str | None, conditions: list[str]) -> list[int]:
    counted = ", ".join(f"count(*) FILTER (WHERE {condition})" for condition in conditions)
    row = partitions.rows(f"SELECT {counted} FROM {{night}}", night=("user_features", ds))[0]
    return [int(count) for count in row]


def _shares(counts: list[int]) -> list[float]:
    return [share(count, sum(counts)) or 0.0 for count in counts]
