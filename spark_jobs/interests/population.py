"""What holds for all users together: which topics are liked how much, and how unlike users are.

Learned from the users of a hash share, so it costs the same however many there are, and gives the same for the same
histories.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl
import pyarrow as pa
from pyspark.broadcast import Broadcast
from pyspark.sql import DataFrame
from scipy.special import gammaln

from spark_jobs.engine.kernels import map_chunks
from spark_jobs.interests.touches import Touches, find_touches, history_lists

SAMPLE_USERS = 10_000
CONCENTRATIONS = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 32.0)
USER_IDS = 16**8  # values of the first eight characters of a user_id
TOUCH = pa.schema(
    {
        "user_id": pa.string(),
        "topic": pa.int64(),
        "events": pa.float64(),
        "day": pa.int64(),
        "part": pa.float64(),
    }
)


@dataclass(frozen=True)
class Population:
    """`topics`: ids in order of position. `share`: mean of the users' shares, by topic.

    `concentration`: how many active days of evidence weigh as much as knowing what all users like (the
    Dirichlet-multinomial's, by maximum likelihood): small where each user likes few topics. `caution`: how much more
    evidence of a change these users need than those of the sample.
    """

    topics: list[str]
    share: np.ndarray
    concentration: float
    caution: float = 1.0


def sample_touches(histories: DataFrame, item_topics: Broadcast[pl.DataFrame], users: int) -> Touches:
    """Touches of about SAMPLE_USERS of `users` users; of all when there are no more."""
    below = f"{min(SAMPLE_USERS * USER_IDS // max(users, 1), USER_IDS):08x}"
    chosen = histories if users <= SAMPLE_USERS else histories.where(f"user_id < '{below}'")
    kernel = partial(_named_touches, item_topics=item_topics)
    found = pl.DataFrame(map_chunks(chosen.select(*history_lists()), kernel, TOUCH).toArrow())
    names = found["user_id"].unique().sort()
    return Touches.of(found.with_columns(user=names.search_sorted(found["user_id"])), len(names))


def fit_population(touches: Touches, topics: list[str]) -> Population:
    """Shares are smoothed as if one more user liked all topics alike."""
    sums = touches.sums(touches.part, len(topics))
    days = sums.sum(axis=1, keepdims=True)
    told = np.divide(sums, days, out=np.zeros_like(sums), where=days > 0).sum(axis=0)
    share = (told + 1 / max(len(topics), 1)) / (told.sum() + 1)
    user, topic = np.nonzero(sums)
    likely = [_likelihood(sums[user, topic], share[topic], days, a) for a in CONCENTRATIONS]
    return Population(topics, share, CONCENTRATIONS[int(np.argmax(likely))])


def _likelihood(days: np.ndarray, share: np.ndarray, total: np.ndarray, a: float) -> float:
    """Log-likelihood of all users' days by topic, but for what does not depend on `a`."""
    of_topics = gammaln(days + a * share) - gammaln(a * share)
    return float((gammaln(a) - gammaln(a + total)).sum() + of_topics.sum())


def _named_touches(histories: pl.DataFrame, item_topics: Broadcast[pl.DataFrame]) -> pl.DataFrame:
    rows = find_touches(histories, item_topics.value)
    return rows.with_columns(user_id=histories["user_id"].gather(rows["user"]))
