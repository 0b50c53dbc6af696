"""Each baseline against scores worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from tests.unit.training.evaluation.baselines.lives import known
from training.evaluation.baselines import als, markov, neighbours, tifu
from training.evaluation.baselines import counts as own
from training.evaluation.baselines.counts import Popular
from training.evaluation.baselines.roster import fit_baselines

pytestmark = pytest.mark.kernel

ALL = np.arange(2)
# User 0: item 0 on three days, item 1 yesterday. User 1: items 1 and 2 together, 20 days ago.
LIVES = [[(0, 40), (0, 30), (0, 20), (1, 1)], [(1, 20), (2, 20)]]


def order(scores: np.ndarray) -> list[int]:
    return np.argsort(-scores, kind="stable").tolist()


def test_popularity_counts_users_within_the_window() -> None:
    week, ever = (Popular.fit(known(LIVES, 4), days).scores(ALL) for days in (7, 10_000))
    assert np.array_equal(week[0], week[1])
    assert np.floor(week[0]).tolist() == [0, 1, 0, 0]
    assert np.floor(ever[0]).tolist() == [1, 2, 1, 0]


def test_a_window_of_seven_days_ends_with_the_cut_off() -> None:
    week = Popular.fit(known([[(0, 0)], [(1, 6)], [(2, 7)]], 3), 7)
    assert np.floor(week.scores(np.array([0]))[0]).tolist() == [1, 1, 0]


def test_own_history_by_frequency_recency_and_decay() -> None:
    shop = known(LIVES, 4)
    assert order(own.frequent(shop).scores(ALL)[0])[:2] == [0, 1]
    assert order(own.recent(shop).scores(ALL)[0])[:2] == [1, 0]
    # .5^4 + .5^3 + .5^2 = .4375 at a half-life of ten days; yesterday's counts .933.
    halved = own.decayed(shop, 10).scores(ALL)[0]
    assert halved[:2] == pytest.approx([0.4375, 0.5**0.1], abs=1e-5)


def test_equally_frequent_items_go_by_recency_and_others_by_popularity() -> None:
    lives = [[(0, 9), (1, 8)], [(3, 1)], [(3, 2), (2, 200)]]
    assert order(own.frequent(known(lives, 4)).scores(np.array([0]))[0]) == [1, 0, 3, 2]


def test_tifu_vectors_decay_within_groups_of_days(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tifu, "ACROSS", 0.5)
    # Eight days make four groups of two; the newest day is item 0, the oldest item 7.
    shop = known([[(day, day) for day in range(8)]], 8)
    vector = tifu.user_vectors(shop.engaged).toarray()[0]
    expected = [0.9 ** (day % 2) * 0.5 ** (day // 2) / 8 for day in range(8)]
    assert vector == pytest.approx(expected)


def test_tifu_leans_on_the_nearest_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tifu, "NEIGHBOURS", 1)
    shop = known([[(0, 1)], [(0, 1), (1, 1)], [(2, 1), (3, 1), (1, 1)]], 4)
    scores = tifu.fit(shop).scores(np.array([0, 2]))
    # Alike: user 1, whose one day holds items 0 and 1. Own .7 x 1, the neighbour's .3 x 1.
    assert scores[0] == pytest.approx([1.0, 0.3, 0, 0], abs=1e-5)
    assert scores[1][1] == pytest.approx(1.0, abs=1e-5)


def test_item_knn_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "SHRINK", 1e-9)
    shop = known([[(0, 1), (1, 1)], [(0, 2)], [(1, 2), (2, 2)], [(1, 5)]], 4)
    # Item 0 has users 0, 1; item 1 users 0, 2, 3: one in common, 1 / sqrt(2 x 3).
    scores = neighbours.item_knn(shop).scores(np.array([1]))[0]
    assert scores[1] == pytest.approx(1 / np.sqrt(6), abs=1e-5)
    assert scores[2] == pytest.approx(0, abs=1e-5)


def test_ease_is_the_closed_form_and_the_trend_a_lift(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "L2", 1.0)
    shop = known([[(0, 1), (1, 100)], [(0, 2), (1, 100)], [(0, 50)]], 2)
    fitted = neighbours.plain_ease(shop)
    # G + 1 = [[4, 2], [2, 3]]; inverse [[3, -2], [-2, 4]] / 8: weights 2/4 into 1, 2/3 into 0.
    assert fitted.weights == pytest.approx(np.array([[0, 0.5], [2 / 3, 0]]), abs=1e-6)
    # Lift: item 1 has no user of late, two ever; item 0 two of late, three ever.
    lifted = neighbours.with_trend(fitted).scores(np.array([0, 2]))
    assert lifted[1] == pytest.approx([0, 0.5 * 0.5 / 7], abs=1e-5)
    assert lifted[0] == pytest.approx([2 / 3 * 2.5 / 8, 0.5 * 0.5 / 7], abs=1e-5)


def test_the_mix_with_repeats_adds_own_days_to_a_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "L2", 1.0)
    shop = known([[(0, 0), (1, 0)], [(0, 180)]], 3)
    mixed = neighbours.with_repeats(neighbours.with_trend(neighbours.plain_ease(shop)))
    scores = mixed.scores(np.array([1]))[0]
    # Half of one day after one half-life; the best item-item score counts SHARE.
    assert scores[:2] == pytest.approx([0.5, neighbours.SHARE], abs=1e-4)


def test_markov_follows_from_the_newest_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markov, "SMOOTHING", 0.0)
    shop = known([[(0, 9), (1, 5)], [(0, 9), (2, 5)], [(0, 9), (2, 3)], [(2, 8), (0, 1)]], 3)
    # From item 0: once to 1, twice to 2. User 3 stands at item 0.
    scores = markov.fit(shop).scores(np.array([3]))[0]
    assert scores == pytest.approx([0, 1 / 3, 2 / 3], abs=1e-5)


def test_als_steps_lead_to_the_least_squares_solution() -> None:
    generator = np.random.default_rng(1)
    other = generator.normal(size=(5, 3)).astype(np.float32)
    counts = sparse.csr_matrix(np.array([[2, 0, 1, 0, 0], [0, 0, 0, 3, 0.0]], dtype=np.float32))
    found = als.improve(np.zeros((2, 3), np.float32), other, counts, 20)
    for row, values in enumerate(counts.toarray()):
        confidence = 1 + als.ALPHA * values
        left = (other.T * confidence) @ other + als.REGULAR * np.eye(3)
        right = (other.T * confidence) @ (values > 0)
        assert found[row] == pytest.approx(np.linalg.solve(left, right), abs=1e-4)


def test_als_likes_what_alike_users_like() -> None:
    lives = [[(0, 1), (1, 1)] for _ in range(10)] + [[(2, 1), (3, 1)] for _ in range(10)]
    scores = als.fit(known([*lives, [(0, 1)]], 4)).scores(np.array([20]))[0]
    assert scores[1] > max(scores[2], scores[3])


def test_outside_of_the_core_popularity_decides() -> None:
    shop = known([[(0, 1), (1, 1)], [(0, 1), (1, 1)], [(2, 1)], [(2, 3)], [(3, 400)]], 5, core=2)
    assert shop.core.tolist() == [0, 1]
    scores = neighbours.plain_ease(shop).scores(np.array([0]))[0]
    assert order(scores)[2:] == [2, 3, 4]


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 5), st.integers(0, 60)), min_size=1, max_size=8),
        min_size=1,
        max_size=6,
    )
)
def test_scores_are_finite_not_negative_and_independent_of_the_batch(
    lives: list[list[tuple[int, int]]],
) -> None:
    rows = np.arange(len(lives))
    for name, ranker in fit_baselines(known(lives, 7)).items():
        scores = ranker.scores(rows)
        assert scores.shape == (len(lives), 7), name
        assert np.isfinite(scores).all() and (scores >= 0).all(), name
        assert scores[-1] == pytest.approx(ranker.scores(rows[-1:])[0], abs=1e-4), name
