"""A trained model as a folder: weights, vocabulary and card, published and loaded together.

    weights.safetensors   weights
    vocabulary.parquet    item ids in the order of the model's ids
    card.json             shape, text encoder, platforms, inputs and everything else
    propensity.json       the models stacked with the transformer's heads, and how they are mixed
    ranking.safetensors   blends of the published lists

Loading runs no code from the folder.
"""

import json
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from pipeline.runtime.errors import ModelError
from training.data.catalogue import Catalogue
from training.data.sequences import Sequences
from training.data.users import UserStates
from training.network.inputs import inputs_of, tokens, with_texts
from training.network.network import Ensemble, InterestModel, Shape, together
from training.network.presets import BASE, Preset
from training.network.vocabulary import Vocabulary
from training.propensity import stack
from training.propensity.plain_models import stack_inputs
from training.propensity.stack import Propensities, load_propensities, save_propensities
from training.ranking.order import FILE, Rankers, load_rankers, save_rankers

CARD, WEIGHTS, VOCABULARY = "card.json", "weights.safetensors", "vocabulary.parquet"
CELLS = 16_000_000  # users x items held at once


@dataclass(frozen=True)
class Card:
    """What is known about a model besides its weights."""

    ds: str
    run: str
    preset: dict[str, object]
    shape: dict[str, Any]
    encoder: str
    platforms: list[str]
    inputs: dict[str, int]  # table -> snapshot id
    learned_to: int = 0  # last day (since 1970) that training saw; 0: not known

    @property
    def choices(self) -> Preset:
        """The preset as an object: choices that an older model did not have are as in `base`."""
        known = {choice.name for choice in fields(Preset)}
        return replace(BASE, **{n: x for n, x in self.preset.items() if n in known})  # type: ignore[arg-type]

    @property
    def is_finished(self) -> bool:
        """Whether it learned from labels; otherwise it is pretrained, a model to start from."""
        return bool(self.preset.get("heads_weight", 1.0) or self.preset.get("epsilon"))


@dataclass
class TrainedModel:
    """A model that can predict. Rows are users, positions are those of the given catalogue."""

    model: InterestModel | Ensemble
    vocabulary: Vocabulary
    card: Card
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    fitted_rankers: Rankers | None = None
    fitted_propensities: Propensities | None = None

    @property
    def rankers(self) -> Rankers:
        """The blends of the published lists."""
        assert self.fitted_rankers is not None, "a finished model can rank"
        return self.fitted_rankers

    @torch.inference_mode()
    def item_vectors(self, catalogue: Catalogue) -> tuple[Tensor, Tensor]:
        """[items, width] vectors and [items] biases; new items use their text.

        Raises ModelError if the catalogue's vectors come from another encoder.
        """
        if catalogue.encoder != self.card.encoder:
            raise ModelError(
                f"item_embeddings: expected vectors of {self.card.encoder}, which the model was "
                f"trained on, found {catalogue.encoder}; train again, or set "
                "TIDEMARK_TEXT_ENCODER back and encode the items again"
            )
        text = torch.from_numpy(catalogue.text).to(self.device)
        ids = torch.from_numpy(self.vocabulary.ids(catalogue)).to(self.device)
        return self.model.item_vectors(text, ids)

    @torch.inference_mode()
    def user_vectors(self, past: Sequences, rows: np.ndarray, catalogue: Catalogue, items: Tensor) -> Tensor:
        """[rows, width] vectors of users after their newest event."""
        return self.read_users(past, rows, catalogue, items)

    def read_users(self, past: Sequences, rows: np.ndarray, catalogue: Catalogue, items: Tensor) -> Tensor:
        """The same, with gradients for the trainable weights."""
        read = tokens(past, rows, catalogue, self.model.shape.events)
        inputs = inputs_of(read, np.arange(len(catalogue)), self.device)
        if self.model.shape.reads_text:
            inputs = with_texts(inputs, read, past, catalogue)
        inputs.platform.copy_(self._own_platforms(catalogue)[inputs.platform])
        hidden = self.model.hidden(inputs, items)
        return hidden[torch.arange(len(rows)), torch.from_numpy(read.last).to(self.device)]

    @torch.inference_mode()
    def item_probabilities(self, users: Tensor, items: Tensor, bias: Tensor, allowed: np.ndarray) -> np.ndarray:
        """[rows, items] softmax over the items that each user may be shown."""
        scores = users @ items.T + bias
        mask = torch.from_numpy(allowed).to(self.device)
        scores = scores.float().masked_fill(~mask, float("-inf"))
        return torch.nan_to_num(torch.softmax(scores, dim=1)).cpu().numpy()

    @torch.inference_mode()
    def log_probabilities(
        self,
        users: Tensor,
        items: Tensor,
        bias: Tensor,
        among: np.ndarray,
        row: np.ndarray,
        item: np.ndarray,
    ) -> np.ndarray:
        """[pairs] log-softmax of users[row] and item, over the items `among` [items]."""
        chosen = torch.from_numpy(np.flatnonzero(among)).to(self.device)
        column = torch.from_numpy(np.cumsum(among) - 1).to(self.device)
        others, weights = items[chosen].T, bias[chosen]
        found, step = np.zeros(len(row), dtype=np.float32), max(1, CELLS // max(len(chosen), 1))
        for start in range(0, len(users), step):
            logits = torch.log_softmax((users[start : start + step] @ others + weights).float(), 1)
            mine = np.flatnonzero((row >= start) & (row < start + step))
            place = torch.from_numpy(row[mine] - start).to(self.device)
            found[mine] = logits[place, column[torch.from_numpy(item[mine])]].cpu().numpy()
        return found

    def propensities(self, users: Tensor, states: UserStates, rows: np.ndarray) -> np.ndarray:
        """[rows, HEADS] calibrated probabilities; `users` are the vectors of the rows."""
        assert self.fitted_propensities is not None, "a finished model is calibrated"
        logits = self.head_logits(users, states.features[rows])
        return self.fitted_propensities.apply(logits, stack_inputs(states, rows))

    @torch.inference_mode()
    def head_logits(self, users: Tensor, features: np.ndarray) -> np.ndarray:
        """[rows, HEADS] logits before calibration."""
        counts = torch.from_numpy(features).to(self.device)
        return self.model.propensity_logits(users, counts).float().cpu().numpy()

    def frequency(self, catalogue: Catalogue) -> np.ndarray:
        """[items] how often training saw each item of a catalogue."""
        return np.append(0, self.vocabulary.frequency)[self.vocabulary.ids(catalogue)]

    def _own_platforms(self, catalogue: Catalogue) -> Tensor:
        """The catalogue's platforms as the model's codes; 0 for a platform that it never saw."""
        known = {name: code for code, name in enumerate(self.card.platforms, start=1)}
        codes = [0, *(known.get(name, 0) for name in catalogue.platforms)]
        return torch.tensor(codes, device=self.device)


def save(trained: TrainedModel, folder: Path) -> None:
    """Writes the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = trained.model.state_dict()
    save_file({name: w.detach().cpu().contiguous() for name, w in weights.items()}, folder / WEIGHTS)
    frequency = pa.array(trained.vocabulary.frequency, pa.int64())
    columns = {"item_id": trained.vocabulary.item_ids, "frequency": frequency}
    pq.write_table(pa.table(columns), folder / VOCABULARY)
    if trained.fitted_rankers is not None:
        save_rankers(trained.fitted_rankers, folder)
    if trained.fitted_propensities is not None:
        save_propensities(trained.fitted_propensities, folder)
    (folder / CARD).write_text(json.dumps(asdict(trained.card), indent=1, sort_keys=True))


def load(folder: Path, device: torch.device | None = None) -> TrainedModel:
    """Reads the folder. Raises ModelError if it is incomplete."""
    _check_whole(folder, CARD, WEIGHTS, VOCABULARY)
    card = Card(**json.loads((folder / CARD).read_text()))
    rankers = propensities = None
    if card.is_finished:
        _check_whole(folder, FILE, stack.FILE)
        rankers, propensities = load_rankers(folder), load_propensities(folder)
    seeds = int(str(card.preset.get("seeds", 1)))
    model = together([InterestModel(Shape(**card.shape)) for _ in range(seeds)])
    model.load_state_dict(load_file(folder / WEIGHTS))
    items = pq.read_table(folder / VOCABULARY)
    vocabulary = Vocabulary(items["item_id"].combine_chunks(), items["frequency"].to_numpy())
    device = device or torch.device("cpu")
    return TrainedModel(model.to(device).eval(), vocabulary, card, device, rankers, propensities)


def _check_whole(folder: Path, *names: str) -> None:
    missing = [name for name in names if not (folder / name).exists()]
    if missing:
        raise ModelError(f"model {folder}: missing {', '.join(missing)}; train again")
