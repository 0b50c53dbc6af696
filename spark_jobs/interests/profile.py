"""`user_interests` from histories and the topics of items."""

from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
from pyspark.sql import DataFrame

from pipeline.runtime.days import days_since_1970
from pipeline.tables.interests import USER_INTERESTS
from spark_jobs.engine.kernels import map_chunks
from spark_jobs.interests.calibrate import calibrate
from spark_jobs.interests.drift_stages import STABLE, find_stages
from spark_jobs.interests.paths import fit_centres, name_patterns, weekly_paths
from spark_jobs.interests.population import Population, fit_population, sample_touches
from spark_jobs.interests.shares import find_interests, share_lists, split_lists
from spark_jobs.interests.touches import Touches, find_touches, history_lists
from spark_jobs.interests.watch import find_changes

CELLS = 2_000_000  # users times topics that are processed together


@dataclass(frozen=True)
class Model:
    """What the users of a night are seen with."""

    ds: str
    population: Population
    centres: np.ndarray


def user_interests(
    histories: DataFrame, item_topics: pa.Table, ds: str, everyone: DataFrame | None = None
) -> DataFrame:
    """`user_interests` of `ds` from its `user_history`; `item_topics` has item_id and topic_id. `everyone`: what is
    learned from, where `histories` holds some users only."""
    everyone = histories if everyone is None else everyone
    topics = sorted(set(item_topics["topic_id"].to_pylist()))
    known = histories.sparkSession.sparkContext.broadcast(numbered(item_topics, topics))
    model = learn(sample_touches(everyone, known, everyone.count()), topics, ds)

    def kernel(chunk: pl.DataFrame) -> pl.DataFrame:
        return profiles(chunk, known.value, model)

    return map_chunks(histories.select(*history_lists()), kernel, USER_INTERESTS.schema)


def numbered(item_topics: pa.Table, topics: list[str]) -> pl.DataFrame:
    """`item_id` and `topic`, the position of its topic in `topics`."""
    frame = pl.DataFrame(item_topics.select(["item_id", "topic_id"]))
    places = pl.Series("topic_id", topics, dtype=pl.String)
    return frame.select("item_id", topic=places.search_sorted(frame["topic_id"]))


def learn(touches: Touches, topics: list[str], ds: str) -> Model:
    """What holds for all users together."""
    centres = fit_centres(weekly_paths(touches, len(topics)))
    return Model(ds, calibrate(touches, fit_population(touches, topics)), centres)


def profiles(histories: pl.DataFrame, item_topics: pl.DataFrame, model: Model) -> pl.DataFrame:
    """The rows of the users in `histories` (`history_lists`), in its order."""
    touches = Touches.of(find_touches(histories, item_topics), len(histories))
    size = max(CELLS // max(len(model.population.topics), 1), 1)
    found = [_rows(part, model) for part in touches.split(size)]
    return pl.concat(found).with_columns(histories["user_id"], ds=pl.lit(model.ds))


def _rows(touches: Touches, model: Model) -> pl.DataFrame:
    topics, today = model.population.topics, days_since_1970(model.ds)
    interests = find_interests(touches, model.population, today)
    paths = weekly_paths(touches, len(topics))
    return pl.DataFrame(
        {
            "interests_long": share_lists(interests.long, interests.told, topics),
            "interests_short": share_lists(interests.short, interests.told, topics),
            "interest_events_long": interests.events_long,
            "interest_events_short": interests.events_short,
            "topic_entropy": interests.entropy,
            "drift_score": interests.score,
            **_drift(touches, model.population, today),
            "weekly_topics": split_lists(pick(topics, paths.topic), paths.length),
            "weeks": split_lists(_days(paths.week * 7 - 3), paths.length),
            "pattern": pl.Series(name_patterns(paths, model.centres), dtype=pl.String),
        }
    )


def _drift(touches: Touches, population: Population, today: int) -> dict[str, pl.Series]:
    """The columns of drift; all but stage and p-value are null while stable."""
    changes = find_changes(touches, population)
    stages = find_stages(changes, touches, today)
    told = stages != STABLE
    return {
        "drift_p_value": pl.Series(np.where(told, changes.p_value, changes.p_now)),
        "drift_from_topic": _where(told, pick(population.topics, changes.source)),
        "drift_to_topic": _where(told, pick(population.topics, changes.target)),
        "drift_since_ds": _where(told, _days(changes.since)),
        "drift_found_ds": _where(told, _days(changes.found)),
        "drift_stage": pl.Series(stages),
    }


def pick(topics: list[str], places: np.ndarray) -> pl.Series:
    """Ids of topics by position; null for negative ones."""
    known = np.where(places < 0, len(topics), places)
    return pl.Series([*topics, None], dtype=pl.String).gather(known)


def _days(days: np.ndarray) -> pl.Series:
    return pl.Series(days, dtype=pl.Int32).cast(pl.Date).dt.to_string("%Y-%m-%d")


def _where(told: np.ndarray, values: pl.Series) -> pl.Series:
    return values.set(~pl.Series(told), None)
