"""Judge rankers on a window after a cut-off: full ranking, every item of the window counts."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from training.data.answers import Answers, answers_of, rows_with_answers
from training.data.catalogue import Catalogue
from training.data.users import Examples
from training.evaluation.baselines.known import LISTS, Contestant
from training.evaluation.metrics import diversity, hit_rate, ndcg, novelty, recall, reciprocal_rank
from training.model.lists import NEVER, allowed_items, top, touched_items

CUTS = (10, 20)
K = 10
CELLS = 4_000_000  # users x items held at once
MOST_CELLS = 200_000_000  # users x items judged in total: fewer users if the catalogue is large

Figures = dict[str, np.ndarray]  # metric -> [users], NaN where a user has no answer


@dataclass(frozen=True)
class JudgedLists:
    """A ranker's list for each judged user, and how far down its first right item is."""

    places: np.ndarray  # [users, 20] positions, -1 = no item
    reciprocal: np.ndarray  # [users]


@dataclass(frozen=True)
class Judged:
    """Lists of all rankers for the same users, and what was asked of them."""

    rows: np.ndarray  # of the examples
    catalogue: Catalogue
    share: np.ndarray  # [items] share of all engagements up to the cut-off, smoothed
    answers: dict[str, Answers]  # by published list
    rankings: dict[str, dict[str, JudgedLists]]  # by published list and ranker

    def figures(self, name: str, ranker: str) -> Figures:
        """Every metric of one ranker's list."""
        ranked = self.rankings[name][ranker]
        answered = self.answers[name].number > 0
        lists = {
            "mrr": ranked.reciprocal,
            f"novelty_{K}": novelty(ranked.places[:, :K], self.share),
            f"diversity_{K}": diversity(ranked.places[:, :K], self.catalogue.text),
        }
        found = quality(ranked.places, self.answers[name])
        return found | {metric: np.where(answered, x, np.nan) for metric, x in lists.items()}

    def coverage(self, name: str, ranker: str) -> float:
        """Share of the catalogue that is in at least one user's top ten."""
        places = self.rankings[name][ranker].places[:, :K]
        return len(np.unique(places[places >= 0])) / len(self.catalogue)


def quality(places: np.ndarray, answers: Answers) -> Figures:
    """Whether right items are high in the list, and how high."""
    hits, number, found = answers.hits(places), answers.number, {}
    for k in CUTS:
        found[f"recall_{k}"] = recall(hits, number, k)
        found[f"ndcg_{k}"] = ndcg(hits, number, k)
        found[f"hit_{k}"] = hit_rate(hits, number, k)
    return found


def judge(rankers: list[tuple[str, Contestant]], examples: Examples, catalogue: Catalogue, users: int) -> Judged:
    """Ranks the whole catalogue for the first `users` rows that have an answer.

    A name may occur twice, for two lists that are scored differently.
    """
    items = len(catalogue)
    rows = rows_with_answers(examples)[: min(users, max(1, MOST_CELLS // items))]
    asked = answers_of(examples, rows, items)
    answers = dict(zip(LISTS, (asked, asked.new_to(examples.past, rows)), strict=True))
    parts: dict[str, dict[str, list[JudgedLists]]] = {name: {} for name in LISTS}
    for first, last in _batches(len(rows), max(1, CELLS // items)):
        part = rows[first:last]
        allowed = allowed_items(catalogue, examples.platforms[part], examples.as_of[part])
        fresh = allowed & ~touched_items(examples.past, part, items)
        for name, ranker, scores in _scored(rankers, part):
            may = allowed if name == "next_items" else fresh
            found = ranked(np.where(may, scores, NEVER), answers[name], first, last)
            parts[name].setdefault(ranker, []).append(found)
    joined = {n: {r: _joined(found) for r, found in lists.items()} for n, lists in parts.items()}
    return Judged(rows, catalogue, shares(examples, items), answers, joined)


def ranked(scores: np.ndarray, answers: Answers, first: int, last: int) -> JudgedLists:
    """The lists of the judged users `first` to `last`."""
    right, number = answers.dense(first, last), answers.number[first:last]
    places, _ = top(scores, max(CUTS))
    missing = max(CUTS) - places.shape[1]
    places = np.pad(places, ((0, 0), (0, missing)), constant_values=-1).astype(np.int32)
    return JudgedLists(places, reciprocal_rank(scores, right, number, NEVER))


def shares(examples: Examples, items: int) -> np.ndarray:
    """[items] share of all engagements up to the cut-off; an item without engagements counts as half an engagement."""
    counts = np.bincount(examples.past.item[examples.past.engaged], minlength=items) + 0.5
    return counts / counts.sum()


def _scored(rankers: list[tuple[str, Contestant]], rows: np.ndarray) -> Iterator[tuple[str, str, np.ndarray]]:
    """List, ranker and scores; a ranker that serves both lists scores once."""
    for ranker, fitted in rankers:
        scores = fitted.scores(rows)
        for name in fitted.lists:
            yield name, ranker, scores


def _batches(rows: int, size: int) -> Iterator[tuple[int, int]]:
    for start in range(0, rows, size):
        yield start, min(start + size, rows)


def _joined(parts: list[JudgedLists]) -> JudgedLists:
    return JudgedLists(
        np.concatenate([part.places for part in parts]),
        np.concatenate([part.reciprocal for part in parts]),
    )
