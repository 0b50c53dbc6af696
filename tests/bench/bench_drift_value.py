"""Do the drift features predict that the main topic of the next month differs?

    TIDEMARK_HOME=… python -m tests.bench drift_value --ds 2011-11-09

On a home with `events`, and `item_topics` of `--ds` (Online Retail: 2010-12-01 to 2011-11-09). At
cut-offs 28 days apart: users with 3 active days or more within 90 days whose next 28 days have a
day with topics. Two labels: whether the main topic of those 28 days is another than the first of
the long-term interests, and whether it is another than that of the 28 days before (of users with
days in both). Logistic regressions are fitted on cut-offs whose month ended before the last
`--judged` ones, and judged on these: on recency, frequency and topic entropy; with the `drift_`
columns; with short-term next to long-term interests, too. Prints the AUC of each and the gain
over the first, with 95% bootstrap intervals over users. First of all, how many changes are reported per
user-year on the last day of the log, and how many when the days of each user are shuffled.
"""

import argparse

import numpy as np
import polars as pl
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pipeline.runtime.days import days_since_1970, shift
from pipeline.runtime.settings import load_settings
from pipeline.storage.persons import persons_as_of
from pipeline.storage.reading import read
from pipeline.tables.interests import ITEM_TOPICS
from pipeline.tables.registry import EVENTS
from spark_jobs.interests.calibrate import calibrate, shuffle_days, user_years
from spark_jobs.interests.drift_stages import find_stages
from spark_jobs.interests.population import fit_population
from spark_jobs.interests.profile import numbered
from spark_jobs.interests.shares import find_interests
from spark_jobs.interests.touches import LISTS, Touches, find_touches
from spark_jobs.interests.watch import NEVER, find_changes

AHEAD, ACTIVE_DAYS, LEAST_DAYS, RECENT = 28, 365, 3, 90
BASE = ("recency", "frequency", "frequency_28d", "entropy")
DRIFT = (*BASE, "drift_score", "log_p_value", "drifting", "days_since_found")
LISTS_TOO = (*DRIFT, "main_topics_differ", "short_share_of_main")
MODELS = {"base": BASE, "with drift columns": DRIFT, "with interests as well": LISTS_TOO}
DRAWS = 2000


def all_touches(ds: str) -> tuple[Touches, list[str], pl.Series]:
    """Touches of everybody's whole log, the topics, and the users' ids."""
    settings = load_settings()
    item_topics = read(ITEM_TOPICS.name, ds, settings).select(["item_id", "topic_id"])
    topics = sorted(set(item_topics["topic_id"].to_pylist()))
    acts = pl.DataFrame(read(EVENTS.name, settings=settings).select(["account_id", *LISTS.values()]))
    events = persons_as_of(settings, ds).of(acts)
    lists = [pl.col(name).alias(to) for to, name in LISTS.items()]
    histories = events.group_by("user_id").agg(lists).sort("user_id")
    touches = Touches.of(find_touches(histories, numbered(item_topics, topics)), len(histories))
    return touches, topics, histories["user_id"]


def between(touches: Touches, after: int, last: int) -> Touches:
    """The touches of days (after, last]."""
    rows = (touches.day > after) & (touches.day <= last)
    columns = (touches.user, touches.day, touches.topic, touches.part, touches.events)
    return Touches(touches.users, *(column[rows] for column in columns))


def examples(touches: Touches, topics: list[str], cutoff: int) -> pl.DataFrame:
    """One row per judged user as known at a cut-off: features and label."""
    known = between(touches, cutoff - ACTIVE_DAYS, cutoff)
    population = calibrate(known, fit_population(known, topics))
    interests = find_interests(known, population, cutoff)
    changes = find_changes(known, population)
    stages = find_stages(changes, known, cutoff)
    main = interests.long.argmax(axis=1)
    drifts = stages != "stable"
    age = np.where(changes.found == NEVER, 0, cutoff - changes.found)
    days = pl.DataFrame({"user": known.user, "day": known.day}).unique()
    counts = days.group_by("user").agg(
        recency=cutoff - pl.col("day").max(),
        frequency=pl.len(),
        frequency_28d=(pl.col("day") > cutoff - AHEAD).sum(),
        recent=(pl.col("day") > cutoff - RECENT).sum(),
    )
    future = between(touches, cutoff, cutoff + AHEAD)
    ahead = future.sums(future.part, len(topics))
    past = between(touches, cutoff - AHEAD, cutoff)
    month = past.sums(past.part, len(topics))
    rows = pl.DataFrame(
        {
            "user": np.arange(touches.users),
            "entropy": interests.entropy,
            "drift_score": interests.score,
            "log_p_value": np.log(np.where(drifts, changes.p_value, changes.p_now)),
            "drifting": drifts.astype(float),
            "days_since_found": np.where(drifts, np.log1p(age), 0),
            "main_topics_differ": (interests.short.argmax(axis=1) != main).astype(float),
            "short_share_of_main": interests.short[np.arange(touches.users), main] - interests.long.max(axis=1),
            "leaves long-term main": ahead.argmax(axis=1) != main,
            "leaves last month's main": ahead.argmax(axis=1) != month.argmax(axis=1),
            "acts": ahead.sum(axis=1) > 0,
            "acted": month.sum(axis=1) > 0,
        }
    )
    found = rows.join(counts, on="user").filter("acts", pl.col("recent") >= LEAST_DAYS)
    logs = [pl.col(name).log1p() for name in ("recency", "frequency", "frequency_28d")]
    return found.with_columns(logs).with_columns(cutoff=pl.lit(cutoff))


def alarms(touches: Touches, topics: list[str]) -> tuple[float, float]:
    """Users with a change per user-year, as it is and with all days shuffled."""
    population = calibrate(touches, fit_population(touches, topics))
    every = [find_changes(known, population) for known in (touches, shuffle_days(touches, 1))]
    as_is, by_chance = ((it.found != NEVER).sum() / user_years(touches) for it in every)
    return float(as_is), float(by_chance)


def compare(rows: pl.DataFrame, label: str, judged: list[int], seed: int = 1) -> str:
    """AUC on the judged cut-offs, of regressions fitted on those whose month ended before them."""
    fitted = rows.filter(pl.col("cutoff") + AHEAD <= min(judged))
    test = rows.filter(pl.col("cutoff").is_in(judged))
    true, scores = test[label].to_numpy(), []
    for columns in MODELS.values():
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
        model.fit(fitted.select(columns).to_numpy(), fitted[label].to_numpy())
        scores.append(model.predict_proba(test.select(columns).to_numpy())[:, 1])
    places = test.with_row_index("row").group_by("user", maintain_order=True).agg("row")["row"]
    random, everybody = np.random.default_rng(seed), np.arange(len(test))
    drawn = [_aucs(true, scores, _draw(places, random)) for _ in range(DRAWS)]
    lines = [f"{label}: {len(fitted)} rows fitted, {len(test)} of {len(places)} users judged, {true.mean():.3f} do"]
    whole = _aucs(true, scores, everybody)
    low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
    for n, name in enumerate(MODELS):
        gain = n + len(MODELS)
        lines.append(
            f"  {name}: AUC {whole[n]:.3f} ({low[n]:.3f} to {high[n]:.3f}), gain "
            f"{whole[gain]:.3f} ({low[gain]:.3f} to {high[gain]:.3f})"
        )
    return "\n".join(lines)


def _draw(places: pl.Series, random: np.random.Generator) -> np.ndarray:
    """Rows of as many users as there are, drawn with replacement."""
    return places.gather(random.integers(0, len(places), len(places))).explode().to_numpy()


def _aucs(true: np.ndarray, scores: list[np.ndarray], rows: np.ndarray) -> list[float]:
    """AUC of each score, then what each gains over the first."""
    found = [float(roc_auc_score(true[rows], score[rows])) for score in scores]
    return [*found, *(auc - found[0] for auc in found)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ds", required=True, help="last day of the log, with item_topics")
    parser.add_argument("--cutoffs", type=int, default=9)
    parser.add_argument("--judged", type=int, default=3, help="newest cut-offs, kept for judging")
    given = parser.parse_args()
    touches, topics, _ = all_touches(given.ds)
    last = days_since_1970(given.ds)
    cutoffs = [last - AHEAD * (n + 1) for n in range(given.cutoffs)]
    rows = pl.concat([examples(touches, topics, cutoff) for cutoff in cutoffs])
    print(f"{len(topics)} topics; newest cut-off {shift(given.ds, -AHEAD)}")
    rates = alarms(touches, topics)
    print(f"changes per user-year: {rates[0]:.3f}; with all days shuffled {rates[1]:.3f}")
    judged = cutoffs[: given.judged]
    print(compare(rows, "leaves long-term main", judged))
    print(compare(rows.filter("acted"), "leaves last month's main", judged))


if __name__ == "__main__":
    main()
