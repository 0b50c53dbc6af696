"""Rows of unlike lengths are read in groups, and each as if it were alone."""

import torch

from training.data.users import HEADS
from training.network.backbone import like_lengths
from training.network.inputs import Inputs
from training.network.network import InterestModel, Shape
from training.network.presets import PRESETS

ITEMS, EVENTS = 7, 16


def test_groups_are_within_a_factor_of_two() -> None:
    groups = like_lengths(torch.tensor([9, 0, 5, 64, 4, 8, 3]))
    found = [(rows.tolist(), positions) for rows, positions in groups]
    # At most 4 events, 8, 16, 64; a position more, since one stands before the first event.
    assert found == [([1, 4, 6], 5), ([2, 5], 9), ([0], 10), ([3], 65)]


def test_no_rows_are_a_group_of_none() -> None:
    ((rows, positions),) = like_lengths(torch.zeros(0, dtype=torch.int64))
    assert (len(rows), positions) == (0, 1)


def test_a_row_is_read_as_if_it_were_alone() -> None:
    torch.manual_seed(1)
    sizes = {"text_width": 6, "ids": ITEMS, "platforms": 1, "features": 2, "heads": len(HEADS)}
    model = InterestModel(Shape.of(PRESETS["tiny"], **sizes)).eval()
    vectors, _ = model.item_vectors(torch.randn(ITEMS, 6), torch.arange(ITEMS))
    lengths = [5, 0, 16, 3, 9]
    inputs = made_up(lengths)
    with torch.inference_mode():
        together = model.hidden(inputs, vectors)
        for row, length in enumerate(lengths):
            alone = Inputs(*(column[row : row + 1, : length + 1] for column in columns(inputs)))
            assert torch.allclose(together[row, : length + 1], model.hidden(alone, vectors)[0])


def made_up(lengths: list[int]) -> Inputs:
    """Events of kind 1, of random items; padding is 0, as `batches.tokens` pads."""
    inside = torch.arange(EVENTS + 1) <= torch.tensor(lengths)[:, None]
    inside[:, 0] = False
    item = torch.randint(1, ITEMS + 1, inside.shape) * inside
    return Inputs(item, *[inside.long()] * 4)


def columns(inputs: Inputs) -> list[torch.Tensor]:
    return [inputs.item, inputs.kind, inputs.platform, inputs.gap, inputs.price]
