"""Logged feedback as arrays, refused as a whole when any row of it cannot be right.

    log = Log.checked(arms, action, reward, propensity)

One row per impression. `propensity` is the probability with which the logging policy chose the action, as it was when
it chose. `stratum` numbers what a policy distinguishes (a segment, a user, a position): policies are tables of strata x
arms. Rows of one `cluster` (a user) are not independent.
"""

from dataclasses import dataclass, replace

import numpy as np

from pipeline.runtime.errors import FeedbackError
from pipeline.runtime.frames import shown

SUM_TOLERANCE = 1e-6
KINDS = {  # numpy's kinds of numbers, and words for them
    "action": ("iu", "numbers of arms"),
    "reward": ("fiub", "numbers"),
    "propensity": ("fiu", "numbers"),
    "stratum": ("iu", "whole numbers"),
    "cluster": ("iu", "whole numbers"),
}
# No server draws so rarely: such a probability has underflowed, or is not that of the draw. Below it sums overflow.
LEAST_PROPENSITY = 1e-12
MOST_REWARD = 1e100  # whose square, weighted, is still a number


@dataclass(frozen=True)
class Log:
    """Arrays of equal length; `action` indexes `arms`. Made by `Log.checked`.

    `logging`, strata x arms, is the whole policy that logged, where it is known. `first_row` is the number of the first
    row in a log that is read in chunks.
    """

    arms: tuple[str, ...]
    action: np.ndarray
    reward: np.ndarray
    propensity: np.ndarray
    stratum: np.ndarray
    cluster: np.ndarray | None = None
    context: np.ndarray | None = None  # rows x features, for reward models that use them
    logging: np.ndarray | None = None
    first_row: int = 0

    @classmethod
    def checked(
        cls,
        arms: tuple[str, ...],
        action: np.ndarray,
        reward: np.ndarray,
        propensity: np.ndarray,
        stratum: np.ndarray | None = None,
        **more: object,
    ) -> "Log":
        """The log. Raises FeedbackError naming the first row against a rule."""
        strata = np.zeros(len(action), np.int32) if stratum is None else np.asarray(stratum)
        log = cls(arms, np.asarray(action), np.asarray(reward), np.asarray(propensity), strata)
        log = replace(log, **more)  # type: ignore[arg-type]
        _check(log)
        return log

    def __len__(self) -> int:
        return len(self.action)

    def rows(self, part: slice) -> "Log":
        """A part of the log that knows where it begins."""
        start, _, _ = part.indices(len(self))
        cut = {
            name: value[part] if value is not None else None
            for name in ("action", "reward", "propensity", "stratum", "cluster", "context")
            for value in (getattr(self, name),)
        }
        return replace(self, **cut, first_row=self.first_row + start)  # type: ignore[arg-type]


def check_probabilities(name: str, table: np.ndarray, arms: tuple[str, ...]) -> None:
    """Refuses a policy (strata x arms) that is no distribution, naming the stratum and the arm."""
    if table.ndim != 2 or table.shape[1] != len(arms):
        raise FeedbackError(
            f"{name}: expected strata x {len(arms)} arms, found shape {table.shape}; give every arm a column"
        )
    bad = ~((table >= 0) & (table <= 1 + SUM_TOLERANCE))  # also NaN
    if bad.any():
        row, arm = np.argwhere(bad)[0]
        raise FeedbackError(
            f"{name}, stratum {row}, arm {arms[arm]!r}: expected a probability, found {table[row, arm]}; "
            "correct the policy"
        )
    sums = table.sum(axis=1, dtype=float)
    off = np.flatnonzero(np.abs(sums - 1) > SUM_TOLERANCE * table.shape[1])
    if len(off):
        raise FeedbackError(
            f"{name}, stratum {off[0]}: expected probabilities that sum to 1, found {sums[off[0]]:.6g}; mend the policy"
        )


def check_strata(log: Log, strata: int) -> None:
    """Refuses a log with a stratum that a table of this size does not have."""
    if len(log) and log.stratum.max() >= strata:
        raise FeedbackError(
            f"policy: expected a row for stratum {log.stratum.max()}, found {strata} strata; "
            "give every stratum probabilities"
        )


def _check(log: Log) -> None:
    rows = len(log.action)
    for name, (kinds, words) in KINDS.items():
        value = getattr(log, name)
        if value is not None and rows and (value.dtype.kind not in kinds or value.ndim != 1):
            raise FeedbackError(
                f"log: {name}: expected one column of {words}, found {value.ndim} of {value.dtype}; convert it"
            )
    for name in ("reward", "propensity", "stratum", "cluster", "context"):
        value = getattr(log, name)
        if value is not None and len(value) != rows:
            raise FeedbackError(f"log: expected {rows} values of {name}, found {len(value)}")
    known = f"one of the {len(log.arms)} arms; an arm that vanished stays in the list of arms"
    _refuse(log, "action", (log.action < 0) | (log.action >= len(log.arms)), known)
    sound = (log.propensity > 0) & (log.propensity <= 1)  # NaN is neither
    _refuse(log, "propensity", ~sound, "a probability above 0 and at most 1")
    underflowed = f"a probability of at least {LEAST_PROPENSITY:g}: a smaller one has underflowed, log that of the draw"
    _refuse(log, "propensity", log.propensity < LEAST_PROPENSITY, underflowed)
    _refuse(log, "reward", ~np.isfinite(log.reward), "a finite number")
    _refuse(log, "reward", np.abs(log.reward) > MOST_REWARD, f"a number of at most {MOST_REWARD:g}")
    _refuse(log, "stratum", log.stratum < 0, "a number from 0")
    if log.context is not None:
        _refuse(log, "context", ~np.isfinite(log.context).all(axis=tuple(range(1, log.context.ndim))), "finite numbers")
    if log.logging is not None:
        check_probabilities("logging policy", log.logging, log.arms)
        check_strata(log, len(log.logging))
        told = log.logging[log.stratum, log.action]
        _refuse(
            log, "propensity", np.abs(told - log.propensity) > SUM_TOLERANCE, "what the logging policy gives that arm"
        )


def _refuse(log: Log, name: str, bad: np.ndarray, expected: str) -> None:
    if not bad.any():
        return
    row = int(np.argmax(bad))
    raise FeedbackError(
        f"log, row {log.first_row + row}: {name}: expected {expected}, found "
        f"{shown(getattr(log, name)[row].tolist())} ({int(bad.sum())} such rows); mend the log or leave them out"
    )
