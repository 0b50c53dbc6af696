"""Picking reasons: by size, ties by a number that is the same everywhere."""

import numpy as np
import pytest

from training.scoring.reasons.columns import LEAST, strongest

pytestmark = pytest.mark.kernel


def picked(group: list[int], tie: list[int], effect: list[float], most: int) -> list[int]:
    return strongest(np.array(group), np.array(tie), np.array(effect), most).tolist()


def test_the_largest_of_each_group_whatever_their_sign() -> None:
    assert picked([1, 0, 0, 0], [0, 1, 2, 3], [0.1, 0.2, -0.9, 0.3], 2) == [2, 3, 0]


def test_equal_effects_go_by_the_tie() -> None:
    assert picked([0, 0, 0], [9, 3, 5], [0.5, 0.5 + 1e-9, -0.5], 3) == [1, 2, 0]


def test_what_is_hardly_there_is_no_reason() -> None:
    assert picked([0, 0], [0, 1], [LEAST, LEAST / 2], 5) == [0]
    assert picked([], [], [], 5) == []
