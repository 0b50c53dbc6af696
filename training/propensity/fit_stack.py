"""Fits the published probabilities: plain models on training windows, their mix on a later window.

Then the plain models are fitted again with the later window included, and the mix is kept: the most recent data is the
most informative.
"""

from dataclasses import dataclass

import numpy as np

from training.data.users import HEADS
from training.propensity.plain_models import PlainModels, Scale, fit_plain_models
from training.propensity.stack import ALONE, USUAL, Head, Propensities, fit_mix, sources

HALF_LIFE = 60.0  # half-life in days of the weight of older cut-offs


@dataclass(frozen=True)
class StackRows:
    """Rows to learn from: what was known about users, and what they did."""

    inputs: np.ndarray  # [rows, INPUTS]
    labels: np.ndarray  # [rows, HEADS], NaN where unknown
    as_of: np.ndarray  # [rows] day of the state
    transformer: np.ndarray  # [rows, HEADS] logits

    def __len__(self) -> int:
        return len(self.inputs)

    def and_also(self, other: "StackRows") -> "StackRows":
        mine, others = vars(self), vars(other)
        return StackRows(**{name: np.concatenate([mine[name], others[name]]) for name in mine})


def fit_propensities(
    train: StackRows, valid: StackRows, constant: dict[str, float], private: bool = False
) -> Propensities:
    """For `constant` heads the rate is published; `private` leaves out the plain models.

    The mix is fitted on the later window, with models that never saw it.
    """
    both = train.and_also(valid)
    scale = Scale.of(both.inputs)
    heads = []
    for column, name in enumerate(HEADS):
        mixed = _mixed(column, train, valid, scale, private)
        if name in constant:
            mixed = Head(rate=constant[name])
        elif mixed.plain is not None:
            mixed = Head(mix=mixed.mix, plain=_plain(column, both, scale))
        heads.append(mixed)
    return Propensities(heads, scale)


def _mixed(column: int, train: StackRows, valid: StackRows, scale: Scale, private: bool) -> Head:
    """The mix of models that saw only the training windows; a rate where `valid` has one class."""
    labels = valid.labels[:, column]
    known = ~np.isnan(labels)
    if len(np.unique(labels[known])) < 2:
        return Head(rate=float(labels[known].mean()) if known.any() else 0.0)
    plain = None if private else _plain(column, train, scale)
    inputs = valid.inputs[known]
    logits = sources(plain, valid.transformer[known, column], inputs, scale.apply(inputs))
    return Head(mix=fit_mix(logits, labels[known], USUAL if plain else ALONE), plain=plain)


def _plain(column: int, window: StackRows, scale: Scale) -> PlainModels | None:
    """None if the window has only one class."""
    known = ~np.isnan(window.labels[:, column])
    labels = window.labels[known, column]
    if len(np.unique(labels)) < 2:
        return None
    inputs, age = window.inputs[known], window.as_of.max() - window.as_of[known]
    return fit_plain_models(inputs, scale.apply(inputs), labels, 0.5 ** (age / HALF_LIFE))
