"""Fits the published chances: plain models on training windows, their mix on a later one."""

from dataclasses import dataclass

import numpy as np

from training.examples import HEADS
from training.propensity.mix import USUAL, fit_mix
from training.propensity.plain_models import PlainModels, Scale, fit_plain_models
from training.propensity.stack import Head, Propensities, sources

HALF_LIFE = 60.0  # days: how fast the rows of an older cut-off count less
ALONE = (1.0, 0.0, 0.0)  # the transformer without plain models


@dataclass(frozen=True)
class Window:
    """Rows to learn from: what was known of users, and what they did."""

    inputs: np.ndarray  # [rows, INPUTS]
    labels: np.ndarray  # [rows, HEADS], NaN where unknown
    as_of: np.ndarray  # [rows] day of the state
    transformer: np.ndarray  # [rows, HEADS] logits

    def __len__(self) -> int:
        return len(self.inputs)


def fit_propensities(
    train: Window, valid: Window, constant: dict[str, float], private: bool = False
) -> Propensities:
    """Of `constant` heads the rate is published; `private` reads no label outside the transformer.

    The mix is fitted on the later window with models that never saw it.
    """
    scale = Scale.of(train.inputs if len(train) else np.zeros((1, train.inputs.shape[1])))
    heads = [_head(column, train, valid, scale, constant, private) for column in range(len(HEADS))]
    return Propensities(heads, scale)


def _head(
    column: int, train: Window, valid: Window, scale: Scale, constant: dict[str, float],
    private: bool,
) -> Head:  # fmt: skip
    labels = valid.labels[:, column]
    known = ~np.isnan(labels)
    if HEADS[column] in constant:
        return Head(rate=constant[HEADS[column]])
    if len(np.unique(labels[known])) < 2:
        return Head(rate=float(labels[known].mean()) if known.any() else 0.0)
    plain = None if private else _plain(column, train, scale)
    inputs = valid.inputs[known]
    logits = sources(plain, valid.transformer[known, column], inputs, scale.apply(inputs))
    return Head(mix=fit_mix(logits, labels[known], USUAL if plain else ALONE), plain=plain)


def _plain(column: int, train: Window, scale: Scale) -> PlainModels | None:
    """None where the training windows hold no two classes."""
    known = ~np.isnan(train.labels[:, column])
    labels = train.labels[known, column]
    if len(np.unique(labels)) < 2:
        return None
    inputs, age = train.inputs[known], train.as_of.max() - train.as_of[known]
    weights = 0.5 ** (age / HALF_LIFE)
    return fit_plain_models(inputs, scale.apply(inputs), labels, weights)
