"""Fit all blends of a model on finished windows: examples whose future is known."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from training.data.answers import answers_of, rows_with_answers
from training.data.catalogue import Catalogue
from training.data.users import Examples
from training.network.presets import Preset
from training.ranking.blend import Effort, plain_blend
from training.ranking.engagements import engagements
from training.ranking.features import feature_names
from training.ranking.market import Market, Sizes
from training.ranking.mixture import Mixture, fit_mixture
from training.ranking.moments import Part, markets, parts
from training.ranking.order import (
    ANY,
    NEW_ONLY,
    REPEATS,
    Finished,
    Fitted,
    ListOrder,
    Rankers,
    fit_ranker,
)

LISTS = {"next_items": REPEATS, "next_new_items": NEW_ONLY}  # list -> how it is fitted
LEAST_USERS = 100  # users with answers in the windows of a platform, for a blend of its own
PLAIN = ("own_days", "log_users_14")  # orders a list when there is nothing to learn from

# (markets, rows of the examples, part) -> [candidates] log-probability by the transformer
ModelScore = Callable[[dict[str, Market], np.ndarray, Part], np.ndarray]


@dataclass(frozen=True)
class FinishedWindow:
    """One platform's users at one cut-off, and what they engaged with after it."""

    part: Part
    finished: Finished
    model: np.ndarray | None  # log-probabilities by the transformer, of the validation window

    @property
    def users(self) -> int:
        """How many have an answer."""
        return len(np.unique(self.part.moment.found.row[self.finished.hit]))


def fit_blends(examples: Examples, catalogue: Catalogue, preset: Preset, model: ModelScore) -> Rankers:
    """Fits on the train and valid folds of all users; the transformer's weight on the valid fold only.

    The transformer was trained on the train folds, so its scores look too good there.
    """
    windows = _windows(examples, catalogue, preset, model)
    names = feature_names()
    fitted = {}
    shares = _shares(windows)
    for name, effort in LISTS.items():
        effort = _scaled(effort, preset)
        for platform, mine in shares.items():
            fitted[platform, name] = _fit(mine, names, name, effort, preset.seed)
        if ANY not in shares:  # a platform that appears later is treated like the largest of today
            largest = max(shares, key=lambda platform: sum(w.users for w in shares[platform]))
            fitted[ANY, name] = fitted[largest, name]
    return Rankers(fitted, names)


def _shares(windows: list[FinishedWindow]) -> dict[str, list[FinishedWindow]]:
    """What blends are fitted on: each platform with enough data, and all together if any platform has too little."""
    platforms = sorted({w.part.platform for w in windows})
    alone = {p: [w for w in windows if w.part.platform == p] for p in platforms}
    enough = {p: mine for p, mine in alone.items() if sum(w.users for w in mine) >= LEAST_USERS}
    return enough if enough and len(enough) == len(alone) else {ANY: windows} | enough


def _windows(examples: Examples, catalogue: Catalogue, preset: Preset, model: ModelScore) -> list[FinishedWindow]:
    answered, found = rows_with_answers(examples), []
    for cutoff in np.unique(examples.as_of):
        everyone = np.flatnonzero(examples.as_of == cutoff)
        rows = np.intersect1d(everyone, answered)[: preset.blend_users]
        known = engagements(examples.past, everyone, int(cutoff), len(catalogue))
        places = markets(known, catalogue, Sizes(preset.ranked_items, preset.ease_items))
        right = answers_of(examples, rows, len(catalogue)).codes
        for part in parts(examples, rows, catalogue, places):
            at = part.moment.found
            hit = np.isin(part.rows[at.row] * len(catalogue) + at.item, right)
            valid = not examples.is_train[rows[0]]
            score = model(places, rows[part.rows], part) if valid else None
            found.append(FinishedWindow(part, Finished(part.moment, hit), score))
    return found


def _fit(windows: list[FinishedWindow], names: list[str], name: str, effort: Effort, seed: int) -> Fitted:
    new_only = name == "next_new_items"
    earlier = [w.finished for w in windows if w.model is None]
    judge = fit_ranker(earlier, new_only, replace(effort, seeds=1), seed) if earlier else None
    mixture = _mixture(judge, [w for w in windows if w.model is not None])
    ranker = fit_ranker([w.finished for w in windows], new_only, effort, seed) if windows else None
    return Fitted(ranker or _plain(names, effort, new_only), mixture)


def _mixture(judge: ListOrder | None, windows: list[FinishedWindow]) -> Mixture:
    """The mixture weights, with a blend that has not seen these windows."""
    if judge is None or not windows:
        return Mixture.of_blend_alone()
    columns, base = [], 0
    for window in windows:
        found, part = window.part.moment.found, window.part
        blend = judge.scores(window.part.moment)
        assert window.model is not None
        columns.append((blend, window.model, window.finished.hit, found.row + base, part.group[found.row]))
        base += len(part.rows)
    return fit_mixture(*(np.concatenate(column) for column in zip(*columns, strict=True)))


def _plain(names: list[str], effort: Effort, new_only: bool) -> ListOrder:
    blend = plain_blend([float(name in PLAIN) for name in names])
    return ListOrder(blend, blend, effort.kept, new_only)


def _scaled(effort: Effort, preset: Preset) -> Effort:
    """The effort with the preset's share of epochs and its seeds."""
    epochs = max(1, round(effort.epochs * preset.blend_effort))
    return replace(effort, epochs=epochs, seeds=preset.blend_seeds)
