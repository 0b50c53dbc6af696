"""Losses of an adaptation. Each is the same for any number of processes: gradients of processes are summed."""

import numpy as np
import torch
from torch import Tensor, nn

from training.data import distributed


class Together:
    """Which texts belong together in the pairs of one objective, [pairs, 2] positions among `texts`."""

    def __init__(self, pairs: np.ndarray, texts: int) -> None:
        self._texts = texts
        self._keys = np.unique(pairs[:, 0] * texts + pairs[:, 1])

    def blocked(self, left: np.ndarray, right: np.ndarray) -> Tensor:
        """[pairs, pairs] bool: whether right text j is no negative of left text i, because the two are a pair
        somewhere in the log, in either order, or the same text. A pair itself is never blocked."""
        ends = np.array([left[:, None] * self._texts + right, right[None, :] * self._texts + left[:, None]])
        known = np.isin(ends, self._keys).any(axis=0) | (left[:, None] == right[None, :])
        np.fill_diagonal(known, False)
        return torch.from_numpy(known)


def contrastive(left: Tensor, right: Tensor, blocked: Tensor, temperature: float) -> Tensor:
    """Mean loss of telling the right text of each left one among all of the batch, and the other way round.

    `left`, `right` [pairs, width] unit vectors; `blocked` [pairs, pairs] are left out of the negatives. Source: InfoNCE
    (van den Oord et al. 2018) with in-batch negatives, symmetric as in CLIP (Radford et al. 2021).
    """
    scores = (left.float() @ right.float().T / temperature).masked_fill(blocked, float("-inf"))
    own = torch.arange(len(scores), device=scores.device)
    return (nn.functional.cross_entropy(scores, own) + nn.functional.cross_entropy(scores.T, own)) / 2


def gathered(own: Tensor, rows: Tensor, size: int) -> Tensor:
    """[size, width] the vectors of all processes; `own` are those at `rows`, and only they carry gradients.

    Every process computes the loss of the whole batch from it. The gradients that each gets for its own rows sum to
    those of one process with all rows.
    """
    whole = torch.zeros(size, own.shape[1], dtype=own.dtype, device=own.device)
    whole[rows] = own.detach()
    return distributed.total(whole).index_copy(0, rows, own)


class MaskedWords(nn.Module):
    """Guesses masked words from hidden states; the words are those of the encoder (Devlin et al. 2019).

    The head is thrown away when the adaptation is over.
    """

    def __init__(self, hidden: int, words: int) -> None:
        super().__init__()
        self.dense, self.norm = nn.Linear(hidden, hidden), nn.LayerNorm(hidden)
        self.bias = nn.Parameter(torch.zeros(words))

    def forward(self, hidden: Tensor, embeddings: Tensor) -> Tensor:
        """[masked, words] of [masked, hidden] states and [words, hidden] embeddings."""
        read = self.norm(nn.functional.gelu(self.dense(hidden)))
        return nn.functional.linear(read, embeddings, self.bias)


def masked(
    ids: Tensor, special: Tensor, mask_id: int, words: int, share: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """[rows, tokens] ids of which some are replaced, and whether each is to be guessed; `special` tokens never are.

    Of those to be guessed 80% are masked, 10% are any word, 10% stay. Each text that has any has at least
    one guessed.
    """
    chance = torch.rand(ids.shape, generator=generator).masked_fill(special, 2.0)
    guessed = (chance < share) | ((chance == chance.min(1, keepdim=True).values) & ~special)
    how = torch.rand(ids.shape, generator=generator)
    other = torch.randint(words, ids.shape, generator=generator)
    changed = torch.where(guessed & (how < 0.8), mask_id, ids)
    return torch.where(guessed & (how >= 0.8) & (how < 0.9), other, changed), guessed
