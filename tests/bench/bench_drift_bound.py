"""How many planted shifts could be found at all, and how soon: an observer who knows nearly all.

    python -m tests.bench drift_bound --events 200000 --days 90 --seeds 101 102 103

It knows each person's true taste up to the shift, the true topic of every visit that is no errand,
and the generator's rules: when shifts may begin, how much moves, how fast. It does not know who
shifts, when, nor where to, and sums the likelihood ratio over all of these, as an optimal test
does (Neyman and Pearson; Shiryaev 1963). Its threshold is chosen on the very people that it is
judged on, for 5% false alarms per user-year. `--days-only` is the detector of `find_changes` that knows
the tastes alone: it sees days, which hold items of the visit before and errands. Figures as in
bench_drift.py.
"""

import numpy as np
import polars as pl

from pipeline.runtime.days import days_since_1970
from pipeline.sources.sample.people import NOISE, People, Shift
from pipeline.sources.sample.topics import TOPIC_NAMES
from pipeline.tables.interests import ALARM
from spark_jobs.interests.day_paths import DayPaths
from spark_jobs.interests.population import Population, fit_population
from spark_jobs.interests.profile import numbered
from spark_jobs.interests.touches import Touches, find_touches
from spark_jobs.interests.watch import Watch
from tests.bench.bench_drift import Replay, people_with_days, report
from tests.bench.planted import Planted, arguments, generated

CERTAIN = 1e9  # days of evidence that the true tastes weigh
STRENGTH = 0.85  # of a shift, on average
BEGINS = (0.4, 0.85)  # of the days: when shifts may begin
LENGTHS = {1: 0.65, 21: 0.35}  # days of change, and how likely


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


def bound(planted: Planted, days: int, days_only: bool) -> Replay:
    """The alarms of the observer."""
    topics = sorted(planted.item_topics["topic_id"].unique())
    items = numbered(planted.item_topics.to_arrow(), topics)
    touches = Touches.of(find_touches(planted.histories, items), len(planted.histories))
    people = people_with_days(planted, touches, days_since_1970(planted.last))
    found = of_days(planted, touches, topics) if days_only else of_visits(planted, days)
    path = found.join(people.select("user", "kind", "start", "years"), on="user")
    calm = path.filter(pl.col("kind").is_null())
    years = people.filter(pl.col("kind").is_null())["years"].sum()
    highest = calm.group_by("user").agg(pl.col("evidence").max())["evidence"].sort(descending=True)
    over = path.filter(pl.col("evidence") > highest[int(ALARM * years)])
    over = over.filter(pl.col("kind").is_null() | (pl.col("night") >= pl.col("start")))
    alarms = over.sort("night").group_by("user", maintain_order=True).first()
    return Replay(alarms.select("user", "night", to=pl.lit(None, pl.String)), people)


def of_days(planted: Planted, touches: Touches, topics: list[str]) -> pl.DataFrame:
    """`user`, `night`, `evidence` of who knows the tastes and sees the days."""
    assert planted.world is not None
    paths = DayPaths.of(touches, len(topics))
    order = [TOPIC_NAMES.index(name) for name in topics]
    tastes = tastes_before(planted.world.people)[_numbers(planted)][:, order]
    watch = Knowing(paths, fit_population(touches, topics), tastes)
    for day in paths.walk():
        watch.look(*day)
    return pl.concat(watch.kept)


def of_visits(planted: Planted, days: int) -> pl.DataFrame:
    """The same of who sees the true topic of each visit."""
    assert planted.world is not None and planted.visits is not None
    visits = planted.visits[np.lexsort((planted.visits[:, 1], planted.visits[:, 0]))]
    tastes = tastes_before(planted.world.people)
    cuts = np.flatnonzero(np.diff(visits[:, 0])) + 1
    evidence = np.concatenate(
        [_evidence(mine[:, 1], mine[:, 2], tastes[mine[0, 0]], days) for mine in np.split(visits, cuts)]
    )
    first = days_since_1970(planted.last) - days + 1
    path = pl.DataFrame({"person": visits[:, 0], "night": first + visits[:, 1], "evidence": evidence})
    rows = pl.DataFrame({"person": _numbers(planted)}).with_row_index("user")
    return path.join(rows.cast(pl.Int64), on="person").select("user", "night", "evidence")


def _evidence(day: np.ndarray, topic: np.ndarray, taste: np.ndarray, days: int) -> np.ndarray:
    """[visits] of one person: likelihood ratio of a shift so far, over all starts and topics."""
    starts = np.arange(int(days * BEGINS[0]), int(days * BEGINS[1]))
    main, total = int(taste.argmax()), np.zeros(len(day))
    others = [to for to in range(len(taste)) if to != main]
    for length, chance in LENGTHS.items():
        since = day[:, None] - starts
        moved = np.clip((since + 1) / length, 0, 1) * STRENGTH * taste[main]
        left = np.where((topic == main)[:, None], np.log1p(-moved / taste[main]), 0)
        for to in others:
            came = np.where((topic == to)[:, None], np.log1p(moved / taste[to]), 0)
            ratio = np.exp(np.cumsum(left + came, axis=0)) * (since >= 0)
            total += chance / len(others) * ratio.mean(axis=1)
    return total


def tastes_before(people: People) -> np.ndarray:
    """[people, topics] shares of visits just before any shift; of a revival, while it is away."""
    tastes = np.full((len(people), len(TOPIC_NAMES)), NOISE / len(TOPIC_NAMES))
    everybody = np.arange(len(people))
    for slot, weight in enumerate(people.weights.T):
        tastes[everybody, people.topics[:, slot]] += (1 - NOISE) * weight
    gone = np.flatnonzero(people.shift == Shift.REVIVAL)
    away = people.strength[gone] * (1 - NOISE) * people.weights[gone, 0]
    tastes[gone, people.topics[gone, 0]] -= away
    tastes[gone, people.new_topic[gone]] += away
    return tastes


def _numbers(planted: Planted) -> np.ndarray:
    """[rows of histories] the generator's number of each person."""
    return planted.histories["user_id"].str.slice(1).cast(pl.Int64).to_numpy()


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--days-only", action="store_true", help="sees days in place of visits")
    given = parser.parse_args()
    for seed in given.seeds:
        print(f"{given.events} events, {given.days} days, density {given.density:g}, seed {seed}")
        planted = generated(given.events, given.days, seed, given.density)
        print(report(bound(planted, given.days, given.days_only)), flush=True)


if __name__ == "__main__":
    main()
