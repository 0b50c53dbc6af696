"""Parts of the users and of the catalogue that are judged separately."""

from dataclasses import dataclass

import numpy as np

from training.data.sequences import cold_starts
from training.data.users import Examples
from training.evaluation.baselines.known import Known
from training.evaluation.intervals import DRAWS, Interval, intervals
from training.evaluation.judging import Judged, quality
from training.ranking.engagements import OLDEST
from training.ranking.mixture import HEAVY

COLD_DAYS = 1  # days with an engagement, at most
NEW_DAYS = (7, 28)  # of an item at the cut-off
HEAD_SHARE = 0.2  # the most engaged of the known items; the others are the tail
METRICS = ("recall_10", "ndcg_10")
ALL = "all"


@dataclass(frozen=True)
class Slice:
    """Judged users (None = all), and the items that count as answers (None = all).

    The ranking is always that of the whole catalogue.
    """

    users: np.ndarray | None = None
    items: np.ndarray | None = None


def slices_of(judged: Judged, examples: Examples, known: Known) -> dict[str, Slice]:
    """Slices by name; each platform is a slice if there are several."""
    engaged, catalogue = known.engaged, judged.catalogue
    days = np.bincount(engaged.visits // (OLDEST + 1), minlength=engaged.users)[judged.rows]
    flagged = np.array([why is not None for why in cold_starts(examples.past)])[judged.rows]
    found = {
        ALL: Slice(),
        "users cold": Slice(users=days <= COLD_DAYS),
        "users flagged cold": Slice(users=flagged),  # as flagged in the feature table
        "users light": Slice(users=(days > COLD_DAYS) & (days < HEAVY)),
        "users heavy": Slice(users=days >= HEAVY),
    }
    as_of = int(examples.as_of.max())
    known_items = catalogue.first_day <= as_of
    for limit in NEW_DAYS:
        fresh = known_items & (catalogue.first_day > as_of - limit)
        found[f"items new {limit}d"] = Slice(items=fresh)
    found["items tail"] = Slice(items=known_items & ~_head(judged, known_items))
    if len(catalogue.platforms) > 1:
        for place, platform in enumerate(catalogue.platforms):
            found[f"platform {platform}"] = Slice(items=catalogue.platform == place)
    return found


@dataclass(frozen=True)
class SliceFigures:
    """One list in one slice: ranker -> metric -> [users], for users with an answer in the slice."""

    users: int
    figures: dict[str, dict[str, np.ndarray]]

    def intervals(self, draws: int = DRAWS) -> dict[str, Interval]:
        """By ranker/metric."""
        flat = {f"{r}/{m}": x for r, found in self.figures.items() for m, x in found.items()}
        return intervals(flat, draws)

    def gain(self, ranker: str, over: str, metric: str) -> Interval:
        """Paired difference of two rankers."""
        difference = self.figures[ranker][metric] - self.figures[over][metric]
        return intervals({metric: difference})[metric]


def judge_slice(judged: Judged, name: str, part: Slice) -> SliceFigures:
    """Recall and NDCG@10 of every ranker of the list `name`."""
    answers = judged.answers[name]
    if part.items is not None:
        answers = answers.among(part.items)
    kept = answers.number > 0
    if part.users is not None:
        kept &= part.users
    figures = {}
    for ranker, ranked in judged.rankings[name].items():
        found = quality(ranked.places, answers)
        figures[ranker] = {metric: found[metric][kept] for metric in METRICS}
    return SliceFigures(int(kept.sum()), figures)


def _head(judged: Judged, known: np.ndarray) -> np.ndarray:
    """[items] the most engaged HEAD_SHARE of the known ones."""
    order = np.argsort(np.where(known, -judged.share, 0), kind="stable")
    head = np.zeros(len(known), dtype=bool)
    head[order[: int(HEAD_SHARE * known.sum())]] = True
    return head
