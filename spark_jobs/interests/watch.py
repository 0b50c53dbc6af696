"""What is known of each user and topic while walking the active days: see `find_changes`."""

from dataclasses import dataclass

import numpy as np

from pipeline.tables.interests import ALARM
from spark_jobs.interests.day_paths import DayPaths
from spark_jobs.interests.population import Population
from spark_jobs.interests.touches import Touches

MOVED = 0.4  # share of the days that go to the new topic
STICKY = 0.1  # share of the days that repeat the last one's topics
YEAR = 365.0
# Evidence of BOUND is ALARM for certain (Doob), but only users with some 30 active days in a long history come near it.
# For others the evidence that counts as ALARM was measured on samples with seeds 1 to 4 (docs/reference/interests.md):
# LEAST + (active days / SCALE)^2, times the years that were watched. `calibrate` raises it for users who need more.
BOUND, LEAST, SCALE, LEAST_DAYS = 1 / ALARM, 4.0, 7.5, 75.0

NEVER = -1


class Watch:
    """What is known while walking: of users (in order of `paths`) and of their pairs."""

    def __init__(self, paths: DayPaths, population: Population) -> None:
        users, pairs = len(paths.user), len(paths.topic)
        self.paths, self.concentration = paths, population.concentration
        self.caution = population.caution
        self.share = population.share[paths.topic]
        self.changes = Changes.none(users)
        self.last, self.began = np.zeros(users, dtype=np.int64), np.zeros(users, dtype=np.int64)
        self.past_days, self.steps = np.zeros(users), np.zeros(users)
        self.past, self.prior = np.zeros(pairs), self.share.copy()
        self.yesterday, self.evidence = np.zeros(pairs), np.zeros(pairs)
        self.touched = np.zeros(pairs, dtype=bool)  # so far: topics to come say nothing yet
        # CUSUM of each topic (Page 1954), for when the change began
        self.peak, self.start = np.zeros(pairs), np.zeros(pairs, dtype=np.int64)

    def look(self, step: int, users: int, pairs: int, parts: np.ndarray, day: np.ndarray) -> None:
        """One more active day of the first `users`; `parts` by pair, `day` by user."""
        owner, first = self.paths.owner[:pairs], self.paths.first[:users]
        if step == 0:
            self.last[:users] = self.began[:users] = day
        mass = np.add.reduceat(parts, first)
        gain = self._log_odds(parts, mass[owner], owner)
        self.touched[:pairs] |= parts > 0
        # Towards the only topic so far no change can have begun, nor on the first day.
        several = np.add.reduceat(self.touched[:pairs].astype(int), first) > 1
        moves = (several[owner] | ~self.touched[:pairs]) & (step > 0)
        waited = (day - self.last[:users])[owner] / YEAR
        self.evidence[:pairs] = (self.evidence[:pairs] + waited) * np.exp(gain) * moves
        self.start[:pairs][self.peak[:pairs] <= 0] = step
        self.peak[:pairs] = (np.maximum(self.peak[:pairs], 0) + gain) * moves
        self.past[:pairs] += parts
        self.past_days[:users] += mass
        self.steps[:users] += 1
        self.yesterday[:pairs] = parts / mass[owner]
        self.last[:users] = day
        told = self.share[:pairs] * self.evidence[:pairs] * self.touched[:pairs]
        p = self._p_value(np.add.reduceat(told, first), day)
        self.changes.p_now[self.paths.user[:users]] = p
        for user in np.flatnonzero(p <= ALARM).tolist():
            self._found(user, step, p[user])

    def _log_odds(self, parts: np.ndarray, mass: np.ndarray, owner: np.ndarray) -> np.ndarray:
        """Log-odds of the day under a change to each pair's topic and under no change."""
        pairs = len(parts)
        expected = self.past[:pairs] + self.concentration * self.prior[:pairs]
        foretold = expected / (self.past_days[owner] + self.concentration)
        followed = self.past_days[owner] > 0
        sticky = np.where(followed, STICKY, 0)
        foretold = (1 - sticky) * foretold + sticky * self.yesterday[:pairs]
        return (mass - parts) * np.log(1 - MOVED) + parts * np.log(1 - MOVED + MOVED / foretold)

    def _p_value(self, evidence: np.ndarray, day: np.ndarray) -> np.ndarray:
        users = len(day)
        years = np.maximum(day - self.began[:users], LEAST_DAYS) / YEAR
        level = self.caution * (LEAST + (self.steps[:users] / SCALE) ** 2) * years
        level = np.minimum(level, BOUND)
        return np.minimum(ALARM * level / np.maximum(evidence, ALARM * level), 1)

    def _found(self, user: int, step: int, p_value: float) -> None:
        """Records a change, and watches on with what came since it began as the past."""
        mine = slice(*self.paths.first[user : user + 2])
        touched = self.touched[mine]
        to = int(np.argmax(self.share[mine] * self.evidence[mine] * touched))
        rows = self.paths.rows_of(user)
        steps, days = self.paths.row_step[rows], self.paths.row_day[rows]
        since = self.start[mine][to]
        new = rows[(since <= steps) & (steps <= step)]
        after = np.zeros(mine.stop - mine.start)
        np.add.at(after, self.paths.row_pair[new] - mine.start, self.paths.row_part[new])
        old = np.maximum(self.past[mine] - after, 0)
        moved = np.where(touched, after / after.sum() - old / old.sum(), np.inf)
        moved[to] = np.inf
        began = days[np.searchsorted(steps, since)]
        place, changes = self.paths.user[user], self.changes
        changes.since[place], changes.found[place] = began, self.last[user]
        changes.source[place] = self.paths.topic[mine][np.argmin(moved)]
        changes.target[place] = self.paths.topic[mine][to]
        changes.p_value[place], changes.p_now[place] = p_value, 1.0
        self._restart(user, mine, after, old, began, step - since + 1)

    def _restart(self, user: int, mine: slice, after: np.ndarray, old: np.ndarray, began: int, steps: int) -> None:
        """What was liked before stays likelier than what all users like."""
        self.prior[mine] = (self.share[mine] + old / old.sum()) / 2
        self.past[mine], self.past_days[user] = after, after.sum()
        self.began[user], self.steps[user] = began, steps
        self.evidence[mine], self.peak[mine] = 0, 0


@dataclass
class Changes:
    """The last change of each user: days since 1970-01-01 (NEVER: none), topics, p-values.

    `p_value` is that of the last change when it was found, `p_now` that of today's evidence of another one.
    """

    since: np.ndarray
    found: np.ndarray
    source: np.ndarray
    target: np.ndarray
    p_value: np.ndarray
    p_now: np.ndarray

    @classmethod
    def none(cls, users: int) -> "Changes":
        since, found, source, target = (np.full(users, NEVER) for _ in range(4))
        return cls(since, found, source, target, np.ones(users), np.ones(users))


def find_changes(touches: Touches, population: Population) -> Changes:
    """The changes of all users, as seen on the last day of `touches`."""
    watch = Watch(DayPaths.of(touches, len(population.topics)), population)
    for day in watch.paths.walk():
        watch.look(*day)
    return watch.changes
