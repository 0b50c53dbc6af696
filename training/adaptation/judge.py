"""What an encoder is worth by texts alone: whether the items nearest to a user's last ones are those of the days after.

A user's vector is the mean of the vectors of the last LAST items that he came to on or before the cut; all items with a
text are ranked by their cosine with it. `all` is the recall of every item of the later days, `cold` that of items to
which nobody had come by the cut.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.runtime.errors import ModelError
from training.adaptation.corpus import ENGAGED, with_text
from training.evaluation.intervals import Interval, interval, intervals
from training.evaluation.metrics import recall
from training.texts.item_texts import Encoder

LAST = 10
KS = (10, 50)
AT_ONCE = 512  # users that are ranked at once
KINDS = ("all", "cold")
METRICS = tuple(f"{kind}_recall_{k}" for kind in KINDS for k in KS)
GATED_COLD = "cold_recall_50"


@dataclass(frozen=True)
class Later:
    """The users to judge on. `past` and `answers` are [rows, 2]: user, position of an item, each pair once."""

    texts: list[str]  # of the items that are ranked
    cold: np.ndarray  # [items] bool
    users: int
    past: np.ndarray
    answers: np.ndarray


@dataclass(frozen=True)
class Decision:
    """Whether an adapted encoder may take the place of the present one, with a reason for each metric."""

    promoted: bool
    reasons: list[str]


def later_of(events: pl.DataFrame, items: pl.DataFrame, cut: str, most: int, seed: int) -> Later:
    """Users with engagements on both sides of the cut, `most` of them. Raises ModelError when there are none."""
    ranked = with_text(items).filter(pl.col("said") != "").sort("item_id").with_row_index("place")
    acts = events.filter(pl.col("event_type").is_in(ENGAGED))
    acts = acts.join(ranked.select("item_id", "place"), on="item_id", maintain_order="left")
    known = pl.col("arrival_ds") <= cut
    before, after = acts.filter(known), acts.filter(~known)
    both = before.join(after, on="user_id", how="semi")["user_id"].unique().sort()
    if both.is_empty():
        raise ModelError(
            f"user_history: expected users who came to items with texts both up to {cut} and after it, found none of "
            f"{before['user_id'].n_unique()} and {after['user_id'].n_unique()}; wait for more nights"
        )
    if len(both) > most:
        both = both.sample(most, seed=seed).sort()
    number = pl.DataFrame({"user_id": both}).with_row_index("user")
    past = before.join(number, on="user_id", maintain_order="left").sort("user", "event_time", maintain_order=True)
    last = past.unique(["user", "place"], keep="last", maintain_order=True).group_by("user", maintain_order=True)
    answers = after.join(number, on="user_id").select("user", "place").unique().sort("user", "place")
    cold = np.ones(len(ranked), bool)
    cold[before["place"].unique().to_numpy()] = False
    return Later(
        ranked["said"].to_list(),
        cold,
        len(both),
        last.tail(LAST).select("user", "place").to_numpy().astype(np.int64),
        answers.to_numpy().astype(np.int64),
    )


def judge(encoder: Encoder, later: Later) -> dict[str, np.ndarray]:
    """METRICS -> [users] recall, NaN for a user without such an answer."""
    vectors = encoder.encode(later.texts).astype(np.float32)
    means = np.zeros((later.users, vectors.shape[1]), np.float32)
    np.add.at(means, later.past[:, 0], vectors[later.past[:, 1]])
    found = {name: np.full(later.users, np.nan) for name in METRICS}
    most = min(max(KS), len(vectors))
    for start in range(0, later.users, AT_ONCE):
        end = min(start + AT_ONCE, later.users)
        scores = means[start:end] @ vectors.T
        best = np.argpartition(-scores, most - 1, axis=1)[:, :most]
        order = np.lexsort((best, -np.take_along_axis(scores, best, axis=1)), axis=1)
        best = np.take_along_axis(best, order, axis=1)
        own = later.answers[(later.answers[:, 0] >= start) & (later.answers[:, 0] < end)]
        wanted = np.zeros(scores.shape, bool)
        wanted[own[:, 0] - start, own[:, 1]] = True
        for kind in KINDS:
            relevant = wanted & later.cold if kind == "cold" else wanted
            hits = np.take_along_axis(relevant, best, axis=1)
            for k in KS:
                found[f"{kind}_recall_{k}"][start:end] = recall(hits, relevant.sum(axis=1), k)
    return found


def figures(judged: dict[str, np.ndarray]) -> dict[str, Interval]:
    """The mean of each metric with its 95% interval over users."""
    return intervals(judged)


def gains(before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> dict[str, Interval]:
    """What the adaptation gained on each metric, paired by user, with its 95% interval."""
    return {name: interval(after[name] - before[name]) for name in METRICS}


def may_replace(found: dict[str, Interval]) -> Decision:
    """Better on cold items and nowhere worse, by the 95% intervals of the gains.

    Better: the interval of GATED_COLD lies above zero. Worse: an interval of any metric lies below zero.
    """
    words = {name: _word(gain) for name, gain in found.items()}
    reasons = [f"{name}: {words[name]}, {_told(found[name])}" for name in words]
    if words[GATED_COLD] == "not comparable":
        reasons.append("nobody came to an item that was new after the cut, so cold items cannot be judged")
    return Decision("worse" not in words.values() and words[GATED_COLD] == "better", reasons)


def _word(gain: Interval) -> str:
    _, low, high = gain
    if np.isnan(high):
        return "not comparable"
    return "better" if low > 0 else "not worse" if high >= 0 else "worse"


def _told(gain: Interval) -> str:
    middle, low, high = gain
    return f"gain {middle:+.4f} [{low:+.4f}, {high:+.4f}]"
