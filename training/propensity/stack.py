"""The published probabilities: per head, the transformer and two plain models, mixed and calibrated."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from pipeline.runtime.errors import ModelError
from training.data.users import HEADS
from training.propensity.plain_models import INPUTS, PlainModels, Scale

FILE = "propensity.json"
# An act within 7 days is never more likely than within 28; silence for 28 days never more likely than for 7.
ORDERED = tuple(
    (f"{act}_28d", f"{act}_7d") if act == "churn" else (f"{act}_7d", f"{act}_28d")
    for act in ("click", "cart", "purchase", "return", "churn")
)

SOURCES = ("transformer", "linear", "trees")
USUAL = (0.0, 0.5, 0.5)  # weights where the window says nothing
ALONE = (1.0, 0.0, 0.0)  # the transformer without plain models
# Strength of the pull to the usual weights and to no shift, in rows: much of the shift that one window shows is gone in
# the next.
PRIOR = 100.0


@dataclass(frozen=True)
class Mix:
    """p = sigmoid(weights . logits of SOURCES + bias)."""

    weights: list[float]
    bias: float

    def apply(self, logits: np.ndarray) -> np.ndarray:
        """[rows] probabilities of [rows, SOURCES] logits."""
        return sigmoid(logits @ np.array(self.weights) + self.bias)


@dataclass(frozen=True)
class Head:
    """One question: a rate if its label had one class, else a mix of sources."""

    rate: float | None = None
    mix: Mix | None = None
    plain: PlainModels | None = None

    def apply(self, transformer: np.ndarray, inputs: np.ndarray, scaled: np.ndarray) -> np.ndarray:
        """[rows] probabilities."""
        if self.mix is None:
            return np.full(len(inputs), self.rate or 0.0)
        return self.mix.apply(sources(self.plain, transformer, inputs, scaled))


@dataclass(frozen=True)
class Propensities:
    """All heads, in the order of HEADS, and the scale of their inputs."""

    heads: list[Head]
    scale: Scale

    def apply(self, transformer: np.ndarray, inputs: np.ndarray) -> np.ndarray:
        """[rows, HEADS] probabilities, of [rows, HEADS] logits and [rows, INPUTS]."""
        scaled = self.scale.apply(inputs)
        found = [head.apply(transformer[:, column], inputs, scaled) for column, head in enumerate(self.heads)]
        return in_order(np.stack(found, axis=1)).astype(np.float32)

    @property
    def constant(self) -> dict[str, float]:
        """Heads whose label had one class, with its rate."""
        named = zip(HEADS, self.heads, strict=True)
        return {name: head.rate for name, head in named if head.rate is not None}


def sources(plain: PlainModels | None, transformer: np.ndarray, inputs: np.ndarray, scaled: np.ndarray) -> np.ndarray:
    """[rows, SOURCES] logits; 0 from plain models that are not there."""
    others = [np.zeros(len(inputs))] * 2
    if plain is not None:
        others = [plain.linear_logits(scaled), plain.tree_logits(inputs)]
    return np.stack([transformer, *others], axis=1)


def in_order(chances: np.ndarray) -> np.ndarray:
    """The same, with the horizons of each act in order: where they cross, both get their mean."""
    found = chances.copy()
    for less, more in ORDERED:
        low, high = HEADS.index(less), HEADS.index(more)
        crossed = found[:, low] > found[:, high]
        found[crossed, low] = found[crossed, high] = found[crossed][:, [low, high]].mean(axis=1)
    return found


def save_propensities(propensities: Propensities, folder: Path) -> None:
    heads = [asdict(head) for head in propensities.heads]
    scale = {name: values.tolist() for name, values in vars(propensities.scale).items()}
    content = {"heads": dict(zip(HEADS, heads, strict=True)), "inputs": INPUTS, "scale": scale}
    (folder / FILE).write_text(json.dumps(content, indent=1))


def load_propensities(folder: Path) -> Propensities:
    """Raises ModelError when the folder's heads or inputs are not those of this code."""
    content = json.loads((folder / FILE).read_text())
    for what, ours in (("heads", HEADS), ("inputs", INPUTS)):
        if tuple(content[what]) != ours:
            raise ModelError(
                f"model {folder}: expected the {what} {', '.join(ours)}, found {', '.join(content[what])}; train again"
            )
    scale = Scale(**{name: np.array(values) for name, values in content["scale"].items()})
    return Propensities([_head(head) for head in content["heads"].values()], scale)


def _head(content: dict) -> Head:
    mix, plain = content["mix"], content["plain"]
    return Head(content["rate"], Mix(**mix) if mix else None, PlainModels(**plain) if plain else None)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(logits, -30, 30)))


def fit_mix(logits: np.ndarray, labels: np.ndarray, usual: tuple[float, ...] = USUAL) -> Mix:
    """Fits from [rows, SOURCES] logits and labels of both classes."""
    rows, start = logits.astype(np.float64), np.array([*usual, 0.0])
    center = rows.mean(axis=0)  # centre of the slopes, so that only the bias moves the level
    level = center @ start[:-1]

    def loss(found: np.ndarray) -> float:
        chances = sigmoid((rows - center) @ found[:-1] + level + found[-1])
        distance = ((found - start) ** 2).sum()
        return float((log_loss(labels, chances).sum() + PRIOR * distance) / len(labels))

    bounds = [(0, 5)] * len(SOURCES) + [(-10, 10)]
    found = minimize(loss, start, method="L-BFGS-B", bounds=bounds).x
    weights = found[:-1]
    return Mix(weights.tolist(), float(level + found[-1] - center @ weights))


def log_loss(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """[rows] negative log-likelihood of each label, in nats."""
    clipped = np.clip(probabilities, 1e-6, 1 - 1e-6)
    return -np.where(labels > 0.5, np.log(clipped), np.log1p(-clipped))
