"""How well a model predicts items: per user, among the items of the same platform.

Scores are the transformer's part of the published lists, including the trend of items. The blend is left out: it is the
same for all models compared.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from training.data.catalogue import Catalogue
from training.data.users import Examples
from training.model.model import TrainedModel
from training.model.predictor import TREND_DAYS, log_trend
from training.propensity.stack import log_loss, sigmoid
from training.ranking.engagements import Engagements

K = 10
CELLS = 8_000_000  # users x items held at once
CHUNK = 512


@dataclass(frozen=True)
class Pairs:
    """Distinct (row, item) pairs of engagements, sorted; only items known on the day of the row."""

    row: np.ndarray
    item: np.ndarray

    @classmethod
    def of(cls, examples: Examples, catalogue: Catalogue) -> "Pairs":
        future = examples.future
        code = np.unique(future.rows[future.engaged].astype(np.int64) * len(catalogue) + future.item[future.engaged])
        row, item = np.divmod(code, max(len(catalogue), 1))
        known = catalogue.first_day[item] <= examples.as_of[row]
        return cls(row[known], item[known])

    def among(self, rows: np.ndarray) -> "Pairs":
        """The pairs of `rows` (sorted), with rows numbered by their place there."""
        place = np.searchsorted(rows, self.row)
        mine = rows[np.minimum(place, len(rows) - 1)] == self.row
        return Pairs(place[mine], self.item[mine])

    @property
    def weight(self) -> np.ndarray:
        """One over the items of the pair's row: every user counts once."""
        return 1 / np.bincount(self.row)[self.row] if len(self.row) else np.zeros(0)


@dataclass(frozen=True)
class Quality:
    """[rows]; NaN where there is nothing to predict."""

    loss: np.ndarray  # negative log-probability of an item, in nats, mean of the row's
    recall: np.ndarray  # share of the items among the first K of their platform
    heads: np.ndarray  # log-loss of the propensities before calibration, mean of known labels


def quality(trained: TrainedModel, examples: Examples, catalogue: Catalogue, trend: np.ndarray) -> Quality:
    """Of all rows; `trend` [items] is added to the scores."""
    items, bias = trained.item_vectors(catalogue)
    bias = bias + torch.from_numpy(trend).to(bias)
    pairs = Pairs.of(examples, catalogue)
    found = np.full((3, len(examples)), np.nan)
    size = max(1, min(CHUNK, CELLS // max(len(catalogue), 1)))
    for start in range(0, len(examples), size):
        rows = np.arange(start, min(start + size, len(examples)))
        users = trained.user_vectors(examples.past, rows, catalogue, items)
        asked = pairs.among(rows)
        with torch.inference_mode():
            found[:2, rows] = _items(users, items, bias, asked, catalogue, examples.as_of[rows])
        labels = examples.labels[rows]
        known = ~np.isnan(labels)
        logits = trained.head_logits(users, examples.features[rows])
        losses = np.where(known, log_loss(np.nan_to_num(labels), sigmoid(logits)), 0.0)
        found[2, rows] = _share(losses.sum(axis=1), known.sum(axis=1))
    return Quality(*found)


def _items(
    users: Tensor,
    items: Tensor,
    bias: Tensor,
    asked: Pairs,
    catalogue: Catalogue,
    as_of: np.ndarray,
) -> np.ndarray:
    """[2, users] loss and recall."""
    sums, number = np.zeros((2, len(users))), np.bincount(asked.row, minlength=len(users))
    logits = users @ items.T + bias
    unknown = torch.from_numpy(catalogue.first_day[None, :] > as_of[:, None])
    logits = logits.float().masked_fill(unknown.to(logits.device), float("-inf"))
    for code in range(len(catalogue.platforms)):
        here = np.flatnonzero(catalogue.platform == code)
        mine = np.flatnonzero(catalogue.platform[asked.item] == code)
        scores = logits[:, torch.from_numpy(here).to(logits.device)]
        total = torch.logsumexp(scores, dim=1)
        for pair in np.array_split(mine, max(1, len(mine) // CHUNK)):
            row, item = asked.row[pair], asked.item[pair]
            own = logits[row, item]
            above = (scores[row] > own[:, None]).sum(dim=1).cpu().numpy()
            np.add.at(sums[0], row, (total[row] - own).cpu().numpy())
            np.add.at(sums[1], row, above < K)
    return np.stack([_share(total, number) for total in sums])


def _share(total: np.ndarray, number: np.ndarray) -> np.ndarray:
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def item_trend(trained: TrainedModel, catalogue: Catalogue, known: Engagements) -> np.ndarray:
    """[items] trend of each item within its platform, from the engagements of all users."""
    late = np.bincount(known.pairs.item[known.pairs.newest < TREND_DAYS], minlength=len(catalogue))
    then, found = trained.frequency(catalogue), np.zeros(len(catalogue), dtype=np.float32)
    for code in range(len(catalogue.platforms)):
        here = catalogue.platform == code
        found[here] = log_trend(late * here, then * here)[here]
    return found
