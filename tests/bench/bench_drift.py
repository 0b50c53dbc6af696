"""Planted shifts of interest: how many are found, how soon, at how many false alarms.

    python -m tests.bench drift --events 400000 --days 90 --seeds 101 102 103
    python -m tests.bench drift --events 400000 --days 365 --density 8 --seeds 101
    TIDEMARK_HOME=… python -m tests.bench drift --home 2026-03-31

Replays every night of a sample with the kernel of `profile_users`: what all users like is learned
from the histories up to that night, changes are those of the same histories. A false alarm is a
newly reported change (the person was stable the night before, or went elsewhere) of a person without a
planted shift; a user-year is a year of nightly looks at such a person, from the first event to the
last night (or leaving). Found is a shift after whose first day a change is newly reported; its delay
counts the person's active days from that day on. `--every 5` looks each fifth night only.
`--density` lets that many times fewer people share the events; `--home` takes a home that was
filled from a sample, once with the true topics of its items, once with the topics of that night.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.runtime.days import days_since_1970
from pipeline.runtime.settings import load_settings
from spark_jobs.interests.calibrate import calibrate
from spark_jobs.interests.drift_stages import REVIVING, STABLE, find_stages
from spark_jobs.interests.population import fit_population
from spark_jobs.interests.profile import numbered
from spark_jobs.interests.touches import Touches, find_touches
from spark_jobs.interests.watch import NEVER, find_changes
from tests.bench.planted import Planted, arguments, generated, in_home

ACTIVE = (1, 5, 10, 20)  # active days before and after the shift, at least
KINDS = ("abrupt", "gradual", "revival")


@dataclass(frozen=True)
class Replay:
    """`alarms`: user, night, the new topic and the stage; one row per newly reported change. `people`:
    one row per user, with days as numbers.
    """

    alarms: pl.DataFrame
    people: pl.DataFrame


def replay(planted: Planted, every: int = 1) -> Replay:
    """Every n-th night of a sample."""
    topics = sorted(planted.item_topics["topic_id"].unique())
    items = numbered(planted.item_topics.to_arrow(), topics)
    touches = Touches.of(find_touches(planted.histories, items), len(planted.histories))
    last = days_since_1970(planted.last)
    reported = np.full(touches.users, NEVER)
    alarms = []
    for night in range(last, touches.day.min(), -every)[::-1]:
        known = until(touches, night)
        changes = find_changes(known, calibrate(known, fit_population(known, topics)))
        stages = find_stages(changes, known, night)
        drifts = stages != STABLE
        target = np.where(drifts, changes.target, NEVER)
        new = np.flatnonzero((target != reported) & drifts)
        reported = target
        names = pl.Series([*topics, None]).gather(target[new])
        rows = {"user": new, "night": np.full(len(new), night), "to": names, "stage": stages[new]}
        alarms.append(pl.DataFrame(rows, schema_overrides={"stage": pl.String}))
    return Replay(pl.concat(alarms), people_with_days(planted, touches, last))


def until(touches: Touches, night: int) -> Touches:
    """What was known of the same users on a night."""
    rows = touches.day <= night
    columns = (touches.user, touches.day, touches.topic, touches.part, touches.events)
    return Touches(touches.users, *(column[rows] for column in columns))


def people_with_days(planted: Planted, touches: Touches, last: int) -> pl.DataFrame:
    days = pl.DataFrame({"user": touches.user, "day": touches.day}).unique().sort("user", "day")
    active = days.group_by("user").agg(pl.col("day").alias("active"))
    people = planted.people.with_row_index("user").with_columns(pl.col("user").cast(pl.Int64))
    number = [
        pl.col(f"{name}_ds").str.to_date().to_physical().cast(pl.Int64).alias(name) for name in ("start", "churned")
    ]
    joined = people.with_columns(number).join(active, on="user")
    first = pl.col("active").list.first()
    years = (pl.col("churned").fill_null(last + 1).clip(upper_bound=last + 1) - first) / 365
    return joined.with_columns(years=years.clip(lower_bound=0))


def report(found: Replay) -> str:
    """The figures as text."""
    calm = found.people.filter(pl.col("kind").is_null())
    false = found.alarms.join(calm, on="user")
    years = calm["years"].sum()
    lines = [
        f"{len(found.people)} people, {calm.height} without a shift: {len(false)} false alarms in "
        f"{years:.0f} user-years = {len(false) / years:.3f} per user-year"
    ]
    shifts = _shifts(found)
    for least in ACTIVE:
        seen = shifts.filter((pl.col("before") >= least) & (pl.col("after") >= least))
        cells = [_cell(seen, "all"), *(_cell(seen.filter(kind=kind), kind) for kind in KINDS)]
        lines.append(f">= {least:2} active days before and after: " + " | ".join(cells))
    if "stage" in found.alarms.columns:
        kinds = found.alarms.filter(stage=REVIVING).join(found.people, on="user")["kind"]
        lines.append(f"reported as reviving: {(kinds == 'revival').sum()} revivals of {len(kinds)}")
    return "\n".join(lines)


def _shifts(found: Replay) -> pl.DataFrame:
    """Planted shifts with active days before and after, and what was found when."""
    people = found.people.filter(pl.col("kind").is_not_null())
    nights = found.alarms.join(people, on="user").filter(pl.col("night") >= pl.col("start"))
    first = nights.sort("night").group_by("user", maintain_order=True).first()
    shifts = people.join(first.select("user", "night", "to"), on="user", how="left")
    days = (
        shifts.explode("active")
        .group_by("user")
        .agg(
            before=(pl.col("active") < pl.col("start")).sum(),
            after=(pl.col("active") >= pl.col("start")).sum(),
            delay=((pl.col("active") >= pl.col("start")) & (pl.col("active") <= pl.col("night"))).sum(),
        )
    )
    return shifts.join(days, on="user")


def _cell(seen: pl.DataFrame, name: str) -> str:
    hit = seen.filter(pl.col("night").is_not_null())
    if not len(hit):
        return f"{name} 0 of {len(seen)}"
    right = (hit["to"] == hit["to_topic"]).mean()
    topic = "" if right is None else f", right topic {right:.2f}"
    share, delay = len(hit) / len(seen), hit["delay"].median()
    return f"{name} {len(hit)} of {len(seen)} = {share:.2f}, delay {delay:.0f}{topic}"


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--every", type=int, default=1, help="look every so many nights")
    parser.add_argument("--home", metavar="DS", help="a filled home instead, as of this day")
    given = parser.parse_args()
    if given.home:
        for true_topics in (True, False):
            print("true topics" if true_topics else "topics of the night")
            print(report(replay(in_home(load_settings(), given.home, true_topics))))
        return
    for seed in given.seeds:
        print(f"{given.events} events, {given.days} days, density {given.density:g}, seed {seed}")
        planted = generated(given.events, given.days, seed, given.density)
        print(report(replay(planted, given.every)), flush=True)


if __name__ == "__main__":
    main()
