"""Ranked lists: order, ties, what may not stand in them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.model.lists import NEVER, top

pytestmark = pytest.mark.kernel


@given(
    st.lists(st.sampled_from([0.0, 1e-30, 0.25, 0.5, 0.75, NEVER]), min_size=1, max_size=20),
    st.integers(1, 25),
)
def test_best_first_and_ties_by_position(scores: list[float], k: int) -> None:
    places, values = top(np.array([scores], dtype=np.float32), k)
    allowed = [p for p in range(len(scores)) if scores[p] != NEVER]
    best = sorted(allowed, key=lambda p: (-np.float32(scores[p]), p))[:k]
    assert places[0][places[0] >= 0].tolist() == best
    assert values[0][: len(best)].tolist() == [np.float32(scores[p]) for p in best]


def test_a_list_is_short_when_items_run_out() -> None:
    places, _ = top(np.array([[0.1, NEVER, 0.2]], dtype=np.float32), 3)
    assert places.tolist() == [[2, 0, -1]]
