"""How many planted shifts could be found at all, and how soon: one who knows everybody's tastes.

    python tests/bench/bench_drift_bound.py --events 200000 --days 90 --seeds 101 102 103

The detector of `find_changes` with each person's true tastes in the place of what it would have to
learn from the past. Its threshold is chosen on the very people that it is judged on, for 5% false
alarms per user-year. What it misses, or finds later, the visits do not show. Figures as in
bench_drift.py.
"""

import numpy as np
import polars as pl
from bench_drift import Replay, people_with_days, report
from planted import Planted, arguments, generated

from pipeline.interest_rules import ALARM
from pipeline.sample.people import NOISE
from spark_jobs.transforms.interests.day_paths import DayPaths
from spark_jobs.transforms.interests.population import Population, fit_population
from spark_jobs.transforms.interests.touches import Touches, days_since_1970, find_touches
from spark_jobs.transforms.interests.watch_days import Watch
from spark_jobs.transforms.profile_interests import numbered

CERTAIN = 1e9  # days of evidence that the true tastes weigh


class Knowing(Watch):
    """Knows the true tastes (users, topics), never takes a change for found, keeps the evidence."""

    def __init__(self, paths: DayPaths, population: Population, tastes: np.ndarray) -> None:
        super().__init__(paths, population)
        self.prior = tastes[paths.user[paths.owner], paths.topic]
        self.concentration = CERTAIN
        self.kept: list[pl.DataFrame] = []

    def _p_value(self, evidence: np.ndarray, day: np.ndarray) -> np.ndarray:
        user = self.paths.user[: len(day)]
        self.kept.append(pl.DataFrame({"user": user, "night": day, "evidence": evidence}))
        return np.ones(len(day))


def bound(planted: Planted) -> Replay:
    """The alarms of a detector that knows the tastes."""
    topics = sorted(planted.item_topics["topic_id"].unique())
    items = numbered(planted.item_topics.to_arrow(), topics)
    touches = Touches.of(find_touches(planted.histories, items), len(planted.histories))
    people = people_with_days(planted, touches, days_since_1970(planted.last))
    paths = DayPaths.of(touches, len(topics))
    watch = Knowing(paths, fit_population(touches, topics), _tastes(planted, topics))
    for day in paths.walk():
        watch.look(*day)
    path = pl.concat(watch.kept).join(people.select("user", "kind", "start", "years"), on="user")
    calm = path.filter(pl.col("kind").is_null())
    years = people.filter(pl.col("kind").is_null())["years"].sum()
    highest = calm.group_by("user").agg(pl.col("evidence").max())["evidence"].sort(descending=True)
    over = path.filter(pl.col("evidence") > highest[int(ALARM * years)])
    over = over.filter(pl.col("kind").is_null() | (pl.col("night") >= pl.col("start")))
    alarms = over.sort("night").group_by("user", maintain_order=True).first()
    return Replay(alarms.select("user", "night", to=pl.lit(None, pl.String)), people)


def _tastes(planted: Planted, topics: list[str]) -> np.ndarray:
    """Shares of visits by person and topic, before any shift."""
    tastes = np.full((len(planted.people), len(topics)), NOISE / len(topics))
    places = {name: place for place, name in enumerate(topics)}
    for user, person in enumerate(planted.people.iter_rows(named=True)):
        for topic, weight in zip(person["topics"], person["weights"], strict=True):
            tastes[user, places[topic]] += (1 - NOISE) * weight
    return tastes


def main() -> None:
    parser = arguments(__doc__)
    given = parser.parse_args()
    for seed in given.seeds:
        print(f"{given.events} events, {given.days} days, density {given.density:g}, seed {seed}")
        print(report(bound(generated(given.events, given.days, seed, given.density))), flush=True)


if __name__ == "__main__":
    main()
