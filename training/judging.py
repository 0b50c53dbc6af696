"""Judge rankers on a window after a cut-off: full ranking, every item of the window counts."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from training.baselines import (
    HALF_LIVES,
    POPULARITY_DAYS,
    own_repeats,
    popularity,
    recent_ranking,
)
from training.examples import Examples
from training.metrics import ndcg, recall
from training.prediction import LISTS, Predictor
from training.ranking import NEVER, top, touched_items

CUTS = (10, 20)
CELLS = 4_000_000  # users x items held at once


def popular_items(examples: Examples, items: int) -> dict[int, np.ndarray]:
    """[items] recent popularity at the examples' cut-off, by days of window."""
    return {d: popularity(examples.past, examples.as_of, d, items) for d in POPULARITY_DAYS}


def relevant_items(examples: Examples, rows: np.ndarray, items: int) -> np.ndarray:
    """[rows, items] items that the user turned to in the window."""
    place, event = examples.future.events_of(rows)
    kept = examples.future.engaged[event]
    relevant = np.zeros((len(rows), items), dtype=bool)
    relevant[place[kept], examples.future.item[event][kept]] = True
    return relevant


def rows_with_answers(examples: Examples) -> np.ndarray:
    """Rows with at least one relevant item; the others have no right answer to a ranking."""
    return np.unique(examples.future.rows[examples.future.engaged])


@dataclass(frozen=True)
class Judgement:
    """Per user (those with answers): metric name -> [users]. NaN where a user has no answer."""

    users: list[str]
    metrics: dict[str, np.ndarray]  # "<list>/<ranker>/<metric>_<k>"


def judge(predictor: Predictor, examples: Examples, users: int) -> Judgement:
    """The published lists and each part of them alone, as rankers of the window's items."""
    rows = rows_with_answers(examples)[:users]
    size = max(1, CELLS // len(predictor.catalogue))
    found: dict[str, list[np.ndarray]] = {}
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        for name in LISTS:
            relevant, _, number = _question(predictor, examples, part, name)
            for ranker, scores in _rankings(predictor, examples, part, name):
                for metric, values in _metrics(scores, relevant, number).items():
                    found.setdefault(f"{name}/{ranker}/{metric}", []).append(values)
    ids = [examples.users[int(row)].as_py() for row in rows]
    return Judgement(ids, {name: np.concatenate(values) for name, values in found.items()})


def _question(
    predictor: Predictor, examples: Examples, rows: np.ndarray, name: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Relevant items, allowed items, and the number of relevant ones, whether allowed or not."""
    items = len(predictor.catalogue)
    relevant = relevant_items(examples, rows, items)
    if name == "next_new_items":
        relevant &= ~touched_items(examples.past, rows, items)
    return relevant, _allowed(predictor, examples, rows, name), relevant.sum(axis=1)


def _allowed(predictor: Predictor, examples: Examples, rows: np.ndarray, name: str) -> np.ndarray:
    found = predictor.allowed(examples, rows)
    if name == "next_items":
        return found
    return found & ~touched_items(examples.past, rows, len(predictor.catalogue))


def _rankings(
    predictor: Predictor, examples: Examples, rows: np.ndarray, name: str
) -> Iterator[tuple[str, np.ndarray]]:
    items, allowed = len(predictor.catalogue), _allowed(predictor, examples, rows, name)
    users = predictor.users(examples, rows)
    yield "published", predictor.scores(examples, rows, users, name)
    yield "transformer", np.where(allowed, predictor.model(users, allowed), NEVER)
    popular = popular_items(examples, items)
    for days, counts in popular.items():
        yield f"popular_{days}d", np.where(allowed, recent_ranking(counts, allowed), NEVER)
    if name == "next_items":
        ties = 1e-6 * recent_ranking(popular[14], allowed)
        for half_life in HALF_LIVES:
            label = "own_frequent" if half_life > 1e6 else f"own_decayed_{half_life:.0f}d"
            own = own_repeats(examples.past, rows, examples.as_of, half_life, items) + ties
            yield label, np.where(allowed, own, NEVER)


def _metrics(scores: np.ndarray, relevant: np.ndarray, number: np.ndarray) -> dict[str, np.ndarray]:
    places, _ = top(scores, max(CUTS))
    hits = np.take_along_axis(relevant, np.maximum(places, 0), axis=1) & (places >= 0)
    metrics = {}
    for k in CUTS:
        metrics[f"recall_{k}"] = recall(hits, number, k)
        metrics[f"ndcg_{k}"] = ndcg(hits, number, k)
    return metrics
