"""What is equal but for noise is equal, by hand and wherever noise falls."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.decisions.bandits.bandits import best_arms
from pipeline.runtime.near_ties import among_best, best, best_of_rows, leaders, settled

NOISE = 1e-7


def test_a_chain_has_the_largest_of_it() -> None:
    values = np.array([0.30, 0.1, 0.31, 0.2, 0.32])
    assert settled(values, 0.015).tolist() == [0.32, 0.1, 0.32, 0.2, 0.32]
    assert leaders(values, 0.015).tolist() == [4, 1, 4, 3, 4]


def test_a_chain_stays_within_its_group() -> None:
    values, group = np.array([0.30, 0.31, 0.30]), np.array([0, 0, 1])
    assert settled(values, 0.02, group).tolist() == [0.31, 0.31, 0.30]


def test_what_may_not_be_listed_is_equal_to_nothing_that_may() -> None:
    values = np.array([-np.inf, 1.0, -np.inf])
    assert settled(values, 0.5).tolist() == [-np.inf, 1.0, -np.inf]
    assert settled(values[:0], 0.5).tolist() == []


def test_the_first_of_the_best() -> None:
    assert best(np.array([[0.1, 0.5], [0.5 + NOISE, 0.2]]), 1e-5) == 1
    assert best_of_rows(np.array([[0.5, 0.5 + NOISE], [0.1, 0.2]]), 1e-5).tolist() == [0, 1]
    assert best(-np.array([np.inf, 2.0 + NOISE, 2.0]), 1e-5) == 1


def test_places_at_the_edge_go_to_the_first() -> None:
    scores = np.array([[0.0, 1.0, NOISE, 0.5, 0.0, -np.inf]], np.float32)
    assert np.flatnonzero(among_best(scores, 3, 1e-5)).tolist() == [0, 1, 3]
    assert np.flatnonzero(among_best(scores, 6, 1e-5)).tolist() == [0, 1, 2, 3, 4]
    assert not among_best(np.full((2, 4), -np.inf), 2, 1e-5).any()


def test_equal_arms_share() -> None:
    scores = np.array([[1.0, 1.0 + 1e-14, 0.5], [np.inf, 1.0, np.inf]])
    assert best_arms(scores).tolist() == [[0.5, 0.5, 0.0], [0.5, 0.0, 0.5]]


@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=30), st.integers(1, 30), st.randoms()
)  # few different scores: most are equal
def test_noise_decides_nothing(levels: list[int], size: int, luck: object) -> None:
    true = np.array(levels) / 7
    noise = np.array([luck.uniform(-NOISE, NOISE) for _ in levels])  # type: ignore[attr-defined]
    seen = true + noise
    order, order_seen = (np.lexsort((np.arange(len(v)), -settled(v, 1e-5))) for v in (true, seen))
    assert order.tolist() == order_seen.tolist()
    assert best(seen, 1e-5) == int(true.argmax())
    among, among_seen = (among_best(v[None], size, 1e-5) for v in (true + 1, seen + 1))
    assert np.array_equal(among, among_seen)
    assert among.sum() == min(size, len(levels))


@pytest.mark.parametrize("true", [0.1, 1 / 3, 0.5000005])
def test_a_grid_would_not_do(true: float) -> None:
    """Wherever two equal values lie, they stay together; a grid has edges."""
    pair = np.array([true - NOISE, true + NOISE])
    assert len(set(settled(pair, 1e-5).tolist())) == 1
