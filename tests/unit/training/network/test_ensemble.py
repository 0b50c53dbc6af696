"""An ensemble says the mean of what its members say."""

import pytest
import torch

from training.data.users import HEADS
from training.network.inputs import Inputs
from training.network.network import Ensemble, InterestModel, Shape
from training.network.presets import PRESETS

ROWS, ITEMS, POSITIONS, FEATURES = 3, 7, 5, 4


def member(seed: int) -> InterestModel:
    torch.manual_seed(seed)
    sizes = {"text_width": 6, "ids": ITEMS, "platforms": 1, "features": FEATURES}
    model = InterestModel(Shape.of(PRESETS["tiny"], **sizes, heads=len(HEADS)))
    torch.nn.init.normal_(model.bias.weight)
    return model.eval()


def answers(model: InterestModel | Ensemble) -> tuple[torch.Tensor, torch.Tensor]:
    """[rows, items] scores and [rows, heads] logits for made-up users."""
    draws = torch.Generator().manual_seed(9)

    def codes(below: int) -> torch.Tensor:
        return torch.randint(0, below, (ROWS, POSITIONS), generator=draws)

    items, bias = model.item_vectors(torch.randn(ITEMS, 6, generator=draws), torch.arange(ITEMS) % (ITEMS - 1))
    kinds = codes(2) + 1
    kinds[:, 0] = 0  # before the first event
    inputs = Inputs(codes(ITEMS + 1), kinds, codes(2), codes(4), codes(4))
    users = model.hidden(inputs, items)[:, -1]
    features = torch.rand(ROWS, FEATURES, generator=draws)
    return users @ items.T + bias, model.propensity_logits(users, features)


@pytest.mark.parametrize("seeds", [(1,), (1, 2, 3)])
def test_scores_and_logits_are_means(seeds: tuple[int, ...]) -> None:
    members = [member(seed) for seed in seeds]
    with torch.inference_mode():
        apart = [answers(one) for one in members]
        scores, logits = answers(Ensemble(members))
    assert torch.allclose(scores, torch.stack([a[0] for a in apart]).mean(0), atol=1e-6)
    assert torch.allclose(logits, torch.stack([a[1] for a in apart]).mean(0), atol=1e-6)
