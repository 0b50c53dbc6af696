"""Models of several seeds as one: their scores are averaged, and nothing else has to know.

What is averaged are the scores of items and the logits of the heads, before any softmax: the mean
over members of (user . item + bias) is one product of longer vectors. So the vector of a user or
of an item is that of all members, end to end, and `embedding` is as many times as long.
"""

import torch
from torch import Tensor, nn

from training.network.network import Inputs, InterestModel


def together(members: list[InterestModel]) -> "InterestModel | Ensemble":
    """One model: the only member, or the ensemble of several."""
    return members[0] if len(members) == 1 else Ensemble(members)


class Ensemble(nn.Module):
    """Asked as one `InterestModel` is. The members have one shape and one vocabulary."""

    def __init__(self, members: list[InterestModel]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self._members = members  # the same, as what they are
        self.shape = members[0].shape

    def item_vectors(self, text: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
        """[n, members x width] vectors and [n] mean biases."""
        vectors, biases = zip(*(m.item_vectors(text, ids) for m in self._members), strict=True)
        return torch.cat(vectors, dim=1), torch.stack(biases).mean(dim=0)

    def hidden(self, inputs: Inputs, items: Tensor) -> Tensor:
        """[rows, positions, members x width] user vectors, so that a product is a mean."""
        read = zip(self._members, self._shares(items), strict=True)
        hidden = [member.hidden(inputs, share) for member, share in read]
        return torch.cat(hidden, dim=-1) / len(self._members)

    def propensity_logits(self, users: Tensor, features: Tensor) -> Tensor:
        """[rows, heads] mean logits."""
        read = zip(self._members, self._shares(users * len(self._members)), strict=True)
        return torch.stack([m.propensity_logits(own, features) for m, own in read]).mean(dim=0)

    def member(self, number: int) -> InterestModel:
        """One of the models; counted in circles, so that any number names one."""
        return self._members[number % len(self._members)]

    def _shares(self, vectors: Tensor) -> tuple[Tensor, ...]:
        return vectors.chunk(len(self._members), dim=-1)
