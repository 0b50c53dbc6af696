"""What each feature adds to a head's log-odds, compared with a user who is average in everything.

A head is a weighted sum of three sources, so its reasons are the weighted sums of theirs:
- logistic regression: weight times distance from the mean, exact;
- boosted trees: TreeSHAP (Lundberg et al. 2020), exact for the trees, by LightGBM;
- the transformer's head: integrated gradients (Sundararajan et al. 2017), by captum, from the
  average counts and a user without an event; everything from its events is one entry, `embedding`.
"""

import re

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from pipeline.tables.columns import HISTORY_EVENTS
from training.data.sequences import sequences
from training.data.windowed_counts import FEATURES
from training.model.predictor import Predictor
from training.propensity.plain_models import INPUTS
from training.propensity.stack import Head

STEPS = 16  # of the path that gradients are integrated along
PLURAL = {"search": "searches"}
SINGLE = {name: f"{name}_days" for name in ("recency", "tenure", "purchase_recency")}


def feature_names() -> list[str]:
    """Names of the columns of `feature_effects`, in a reader's words."""
    return [*map(readable, INPUTS), "embedding"]


def readable(name: str) -> str:
    """Counts as named in `user_features`; visits instead of active days."""
    counted = re.fullmatch(r"(impression|view|search|cart|favorite|purchase|return|review)(_\d+d)", name)
    if counted:
        kind, window = counted.groups()
        return PLURAL.get(kind, f"{kind}s") + window
    before = re.fullmatch(r"(active|purchase)_visit_(\d)_ago", name)
    if before:
        return f"days_since_{'visit' if before[1] == 'active' else 'purchase'}_{before[2]}"
    if name.startswith("active_") and not name.startswith("active_days"):
        return name.replace("active_", "visit_")
    return SINGLE.get(name, name)


def feature_effects(predictor: Predictor, head: int, users: Tensor, inputs: np.ndarray) -> np.ndarray:
    """[rows, INPUTS + embedding] log-odds; `users` [rows, width], `inputs` [rows, INPUTS]."""
    fitted = predictor.trained.fitted_propensities
    assert fitted is not None, "a finished model is calibrated"
    one, found = fitted.heads[head], np.zeros((len(inputs), len(INPUTS) + 1))
    if one.mix is None or not len(inputs):
        return found  # a constant rate: nothing moves it
    found[:, :-1] = _of_plain_models(one, inputs, fitted.scale.apply(inputs))
    weight = one.mix.weights[0]
    if weight:
        average = fitted.scale.mean[: len(FEATURES)]
        counts, events = _of_transformer(predictor, head, users, inputs, average)
        found[:, : len(FEATURES)] += weight * counts
        found[:, -1] = weight * events
    return found


def _of_plain_models(head: Head, inputs: np.ndarray, scaled: np.ndarray) -> np.ndarray:
    if head.plain is None or head.mix is None:
        return np.zeros(inputs.shape)
    _, linear, trees = head.mix.weights
    shares = head.plain.booster.predict(inputs, pred_contrib=True, num_threads=1)
    return linear * scaled * np.array(head.plain.weights) + trees * np.asarray(shares)[:, :-1]


def _of_transformer(
    predictor: Predictor, head: int, users: Tensor, inputs: np.ndarray, average: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """[rows, FEATURES] effects of the counts, and [rows] effect of all events together."""
    from captum.attr import IntegratedGradients

    device = users.device
    read = IntegratedGradients(predictor.trained.model.propensity_logits)
    counts = torch.from_numpy(inputs[:, : len(FEATURES)]).to(device)
    usual = torch.from_numpy(average.astype(np.float32)).to(device)
    nobody = sequences(pa.array([[]], HISTORY_EVENTS), predictor.catalogue)
    start = predictor.vectors(nobody, np.zeros(1, dtype=np.int64)).clone()
    events, told = read.attribute((users.clone(), counts), (start, usual[None]), target=head, n_steps=STEPS)
    return told.detach().cpu().numpy(), events.sum(dim=1).detach().cpu().numpy()
