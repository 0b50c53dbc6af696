"""One forward pass: from rows of examples to the sums of their losses."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from training.data.catalogue import Catalogue
from training.data.draws import uniform
from training.data.users import Examples
from training.fitting.targets import Targets
from training.network.inputs import Inputs, inputs_of, tokens, with_texts
from training.network.losses import head_loss, item_loss, worst_shift
from training.network.network import InterestModel
from training.network.presets import Preset


@dataclass(frozen=True)
class Batch:
    """Tensors of one micro-batch. Items are numbered by the rows of `text`, the items that the batch touches."""

    inputs: Inputs
    text: Tensor
    ids: Tensor
    target_row: Tensor
    target_position: Tensor
    target: Tensor
    candidates: Tensor
    log_expected: Tensor
    last: Tensor
    features: Tensor
    labels: Tensor


@dataclass(frozen=True)
class Batcher:
    """Builds batches from examples."""

    examples: Examples
    catalogue: Catalogue
    ids: np.ndarray  # [items] model id of each catalogue position
    preset: Preset
    device: torch.device

    def batch(
        self,
        rows: np.ndarray,
        targets: Targets,
        candidates: tuple[np.ndarray, np.ndarray],
        labels: np.ndarray,
        drop: tuple[int, int] | None = None,
    ) -> Batch:
        """With `drop` = (epoch, step), item ids are dropped at random; None keeps them all."""
        read = tokens(self.examples.past, rows, self.catalogue, self.preset.events)
        row, slot = np.nonzero(targets.counts)
        target = targets.item[row, slot]
        touched = np.unique(np.concatenate([read.item[read.item >= 0], target, candidates[0]]))
        ids = self.ids[touched]
        if drop is not None:
            keep = uniform(self.preset.seed, 5, *drop, touched) >= self.preset.id_dropout
            ids = ids * keep
        arrays = {
            "text": self.content(touched, drop),
            "ids": ids,
            "target_row": row,
            "target_position": targets.position[row, slot],
            "target": np.searchsorted(touched, target),
            "candidates": np.searchsorted(touched, candidates[0]),
            "log_expected": candidates[1],
            "last": read.last,
            "features": self.examples.features[rows],
            "labels": labels.astype(np.float32),
        }
        tensors = {name: torch.from_numpy(array).to(self.device) for name, array in arrays.items()}
        inputs = inputs_of(read, touched, self.device)
        if self.preset.reads_text:
            inputs = with_texts(inputs, read, self.examples.past, self.catalogue)
        return Batch(inputs, **tensors)

    def content(self, touched: np.ndarray, drop: tuple[int, int] | None) -> np.ndarray:
        """[touched] vectors of text and picture; in training some lose one of the two."""
        vectors, columns = self.catalogue.text[touched], self.catalogue.picture_columns
        if drop is None or not columns:
            return vectors
        share = self.preset.modality_dropout / 2
        luck = uniform(self.preset.seed, 7, *drop, touched)
        pictured = vectors[:, -1] > 0
        vectors[pictured & (luck < share), -columns:] = 0
        vectors[pictured & (luck >= 1 - share), :-columns] = 0
        return vectors


class Objective(nn.Module):
    """The module that DDP wraps: everything with gradients passes through its `forward`."""

    def __init__(self, model: InterestModel, preset: Preset) -> None:
        super().__init__()
        self.model = model
        self.bf16, self.adversarial = preset.bf16, preset.adversarial
        self.items_weight, self.heads_weight = preset.items_weight, preset.heads_weight

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Sums of the item losses and of the head losses.

        With `adversarial`, in training: their means over the original and the shifted events.
        """
        with torch.autocast(batch.text.device.type, torch.bfloat16, enabled=self.bf16):
            items, bias = self.model.item_vectors(batch.text, batch.ids)
            events = self.model.events(batch.inputs, items)
            plain = self._losses(batch, events, items, bias)
            if not (self.adversarial and self.training):
                return plain
            # Weighted as in training: a head that must not affect training must not steer the shift either.
            loss = self.items_weight * plain[0] + self.heads_weight * plain[1]
            shifted = events + worst_shift(events, loss, self.adversarial)
            hard = self._losses(batch, shifted, items, bias)
        return (plain[0] + hard[0]) / 2, (plain[1] + hard[1]) / 2

    def head_inputs(self, batch: Batch) -> Tensor:
        """[rows, inputs] what the heads read of each row."""
        items, _ = self.model.item_vectors(batch.text, batch.ids)
        users = _newest(self.model.hidden(batch.inputs, items), batch)
        return self.model.head_inputs(users, batch.features)

    def _losses(self, batch: Batch, events: Tensor, items: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.model.read(events, batch.last)
        logits = self.model.propensity_logits(_newest(hidden, batch), batch.features)
        losses = item_loss(
            hidden[batch.target_row, batch.target_position],
            items[batch.target],
            bias[batch.target],
            items[batch.candidates],
            bias[batch.candidates],
            batch.log_expected,
            batch.candidates.unsqueeze(0) == batch.target.unsqueeze(1),
        )
        items_sum = losses.sum()
        if self.model.adapter is not None and self.training:
            items_sum = items_sum + len(losses) * self.model.adapter.penalty()
        return items_sum, head_loss(logits, batch.labels)[0]


def _newest(hidden: Tensor, batch: Batch) -> Tensor:
    """[rows, width] the vectors after each row's newest event."""
    return hidden[torch.arange(len(hidden), device=hidden.device), batch.last]
