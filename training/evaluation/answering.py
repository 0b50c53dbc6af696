"""The model's answers as rankers, comparable with the baselines. All calls of the predictor are here."""

from dataclasses import dataclass, replace

import numpy as np

from training.data.catalogue import Catalogue
from training.data.users import Examples
from training.evaluation.baselines.known import LISTS, Contestant, Known
from training.model.lists import NEVER
from training.model.model import TrainedModel
from training.model.predictor import Predictor


@dataclass(frozen=True)
class Published:
    """A published list."""

    predictor: Predictor
    examples: Examples
    name: str

    @property
    def lists(self) -> tuple[str, ...]:
        return (self.name,)

    def scores(self, rows: np.ndarray) -> np.ndarray:
        users = self.predictor.users(self.examples, rows)
        return self.predictor.scores(self.examples, rows, users, self.name)


@dataclass(frozen=True)
class Transformer:
    """The transformer alone, without a blend."""

    predictor: Predictor
    examples: Examples
    lists: tuple[str, ...] = LISTS

    def scores(self, rows: np.ndarray) -> np.ndarray:
        allowed = self.predictor.allowed(self.examples, rows)
        users = self.predictor.users(self.examples, rows)
        return np.where(allowed, self.predictor.model(users, allowed), NEVER)


@dataclass(frozen=True)
class Answering:
    """A model's answers for a window: ranked lists, and probabilities of the heads."""

    rankers: list[tuple[str, Contestant]]
    chances: np.ndarray  # [rows, HEADS]


def answering(trained: TrainedModel, examples: Examples, catalogue: Catalogue, known: Known) -> Answering:
    """The published lists, the transformer alone, and the published propensities."""
    predictor = Predictor.of(trained, catalogue, known.engaged)
    rankers: list[tuple[str, Contestant]] = [
        *(("published", Published(predictor, examples, name)) for name in LISTS),
        ("transformer", Transformer(predictor, examples)),
        (
            "transformer_ids",
            Transformer(Predictor.of(trained, blind(trained, catalogue)), examples),
        ),
    ]
    return Answering(rankers, predictor.chances(examples))


def blind(trained: TrainedModel, catalogue: Catalogue) -> Catalogue:
    """Items that the model has no id for, with their text removed: they all look alike, as they do to an id-only
    model."""
    unknown = trained.vocabulary.ids(catalogue) == 0
    text = np.where(unknown[:, None], catalogue.text.mean(axis=0), catalogue.text)
    return replace(catalogue, text=text.astype(np.float32))
