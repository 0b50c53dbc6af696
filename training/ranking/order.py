"""Fit the blend of one list on finished windows, and score users with it."""

from dataclasses import dataclass

import numpy as np
import torch

from training.ranking.candidates import Candidates, candidates
from training.ranking.engagements import Engagements
from training.ranking.features import SOURCES, design, source
from training.ranking.blend import FAR, Blend, Effort, Groups, fit_blend, groups, linear_blend
from training.ranking.market import Market

REPEATS = Effort(hidden=48, epochs=24, weight_decay=0.3, kept=30)
NEW_ONLY = Effort(hidden=16, epochs=10, weight_decay=0.05, kept=60)


@dataclass(frozen=True)
class Moment:
    """Users at one moment: their candidates, and what the blend reads of them."""

    found: Candidates
    x: np.ndarray  # [candidates, features]
    names: list[str]  # of the features
    touched: np.ndarray  # [candidates] whether the user's history holds the item at all

    @classmethod
    def of(cls, mine: Engagements, market: Market, allowed: np.ndarray) -> "Moment":
        """`allowed` [items] is what may be named."""
        found = candidates(mine, market, allowed)
        return cls(found, *design(found, mine, market), found.seen)

    def may(self, new_only: bool) -> np.ndarray:
        """[candidates] whether each may stand in the list."""
        return ~self.touched if new_only else np.ones(len(self.touched), dtype=bool)


@dataclass(frozen=True)
class Finished:
    """A moment whose window is over, so that it is known which candidates were hits."""

    moment: Moment
    hit: np.ndarray  # [candidates]


@dataclass(frozen=True)
class Ranker:
    """The order of one list: all candidates by `first`, the best of them again by `blend`."""

    first: Blend
    blend: Blend
    kept: int
    new_only: bool

    def scores(self, moment: Moment) -> np.ndarray:
        """[candidates] scores; -inf for those that may not stand in the list."""
        x = torch.from_numpy(moment.x)
        with torch.inference_mode():
            first = self.first(x).numpy()
            final = first - FAR  # outside the short list: the linear order, below it
            keep = shortlist(moment, first, self.kept, self.new_only)
            final[keep] = self.blend(x[torch.from_numpy(keep)]).numpy()
        return np.where(moment.may(self.new_only), final, -np.inf)

    def contributions(self, moment: Moment, picked: np.ndarray) -> np.ndarray:
        """[picked, SOURCES] what each source adds to the linear part of the score.

        Against a candidate that is average in every feature.
        """
        with torch.inference_mode():
            z = self.blend.z(torch.from_numpy(moment.x[picked]))
            parts = (z * self.blend.linear.mean(0)).numpy()
        of = np.array([SOURCES.index(source(name)) for name in moment.names])
        return np.stack([parts[:, of == k].sum(axis=1) for k in range(len(SOURCES))], axis=1)


def fit_ranker(windows: list[Finished], new_only: bool, effort: Effort, seed: int) -> Ranker | None:
    """From the candidates of users at several moments; None when no user had a hit."""
    everything = [np.flatnonzero(w.moment.may(new_only)) for w in windows]
    rows = _stacked(windows, everything)
    if not rows.count:
        return None
    first = linear_blend(rows, effort)
    short = []
    for window in windows:
        with torch.inference_mode():
            scores = first(torch.from_numpy(window.moment.x)).numpy()
        short.append(shortlist(window.moment, scores, effort.kept, new_only))
    rows = _stacked(windows, short)
    blend = fit_blend(rows, first, effort, seed) if rows.count else first
    return Ranker(first, blend, effort.kept, new_only)


def shortlist(moment: Moment, scores: np.ndarray, kept: int, new_only: bool) -> np.ndarray:
    """Positions, sorted, of the users' own items (unless `new_only`) and the `kept` best others."""
    found, seen = moment.found, moment.found.seen
    order = np.lexsort((found.item, -scores, seen, found.row))
    order = order[moment.may(new_only)[order]]
    row = found.row[order]
    starts = np.flatnonzero(np.diff(row, prepend=-1))
    size = np.diff(np.append(starts, len(row)))
    place = np.arange(len(row)) - np.repeat(starts, size)  # new items come before own ones
    best = ~seen[order] & (place < kept)
    return np.sort(order[best if new_only else best | seen[order]])


def _stacked(windows: list[Finished], keep: list[np.ndarray]) -> Groups:
    base, parts = 0, []
    for window, rows in zip(windows, keep, strict=True):
        row = window.moment.found.row
        parts.append((window.moment.x[rows], window.hit[rows], row[rows] + base))
        base += int(row.max(initial=0)) + 1
    x, hit, group = (np.concatenate(part) for part in zip(*parts, strict=True))
    return groups(x, hit, group)
