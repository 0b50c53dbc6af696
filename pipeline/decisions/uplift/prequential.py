"""Rankings that are judged: each fold is ranked by models of the folds before it.

Ordinary cross-fitting judges fold A by models of B and B by models of A, which is one piece of evidence counted twice:
without any effect its tests cry wolf far too often (docs/notebook/uplift.md). In sequence every pair of folds counts
once and errors add up as in a martingale, so that normal and bootstrap intervals hold (Dawid 1984; Luedtke and van der
Laan 2016; Wager 2024).
"""

from dataclasses import dataclass

import numpy as np

from pipeline.decisions.uplift.candidates import CANDIDATES, Candidate, learn, name_of
from pipeline.decisions.uplift.trial import FOLDS, Trial, fold_of, half_of
from pipeline.runtime.near_ties import DOUBLE, best


@dataclass(frozen=True)
class Judged:
    """The users of all folds but the first: predicted `uplift`, doubly robust `score`.

    `chosen`: the candidate of each fold from the second on, the one with the least risk on the folds before it (for the
    second fold, of which nothing is known: the first candidate). `risk`: [fold, candidate], sums over its users.
    """

    trial: Trial
    fold: np.ndarray
    place: np.ndarray
    uplift: np.ndarray
    score: np.ndarray
    chosen: tuple[str, ...]
    risk: np.ndarray
    candidates: tuple[Candidate, ...]

    @property
    def best(self) -> Candidate:
        """The candidate with the least risk on all judged users."""
        return self.candidates[_least(self.risk.sum(axis=0))]


def judge_in_sequence(trial: Trial, place: np.ndarray, candidates: tuple[Candidate, ...] = CANDIDATES) -> Judged:
    """Every fold but the first, by what the ones before it taught."""
    fold, half = fold_of(place), half_of(place)
    uplift, score = np.zeros(len(trial)), np.zeros(len(trial))
    risk, chosen = np.zeros((FOLDS, len(candidates))), []
    for number in range(1, FOLDS):
        before, mine = fold < number, fold == number
        learned, judged = learn(trial.rows(before), half[before]), trial.rows(mine)
        score[mine] = learned.scores(judged)
        effects = [learned.effects(judged, candidate) for candidate in candidates]
        at = _least(risk.sum(axis=0))
        uplift[mine] = effects[at]
        chosen.append(name_of(candidates[at]))
        risk[number] = [judged.weight @ (score[mine] - effect) ** 2 for effect in effects]
    late = fold > 0
    return Judged(
        trial.rows(late),
        fold[late],
        place[late],
        uplift[late],
        score[late],
        tuple(chosen),
        risk,
        candidates,
    )


def _least(risk: np.ndarray) -> int:
    """The candidate with the least risk, the first of equal ones."""
    return best(-risk, DOUBLE * np.abs(risk).max())
