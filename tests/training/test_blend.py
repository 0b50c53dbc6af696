"""The blend takes the ranker that is right, and never does worse than a part on its window."""

from collections.abc import Callable

import numpy as np

from training.blend import Trend, fit_blend, judged

RIGHT = np.array([[0.0, 0.1, 0.9], [0.9, 0.1, 0.0]], dtype=np.float32)
WRONG = RIGHT[:, ::-1].copy()
FLAT = np.full((2, 3), 1 / 3, dtype=np.float32)
RELEVANT = np.array([[False, False, True], [True, False, False]])
ALLOWED = np.ones((2, 3), dtype=bool)


def always(scores: np.ndarray) -> Callable[[Trend], np.ndarray]:
    """A transformer that no trend moves."""
    return lambda trend: scores


def test_the_trend_is_taken_where_it_helps() -> None:
    moved = {0.0: WRONG, 0.5: FLAT, 1.0: RIGHT, 1.5: FLAT}
    blend = fit_blend(judged(RELEVANT, ALLOWED), lambda trend: moved[trend[1]], {}, {7: WRONG})
    assert (blend.trend_days, blend.trend) == (7, 1.0)


def test_the_right_part_wins() -> None:
    score = judged(RELEVANT, ALLOWED)
    for parts in ((RIGHT, WRONG, WRONG), (WRONG, RIGHT, WRONG), (WRONG, WRONG, RIGHT)):
        model, own, recent = parts
        blend = fit_blend(score, always(model), {45.0: own}, {7: recent})
        assert score(blend.mix(model, own, recent)) == 1.0


def test_half_life_and_window_are_those_that_rank_best_alone() -> None:
    blend = fit_blend(
        judged(RELEVANT, ALLOWED), always(FLAT), {15.0: WRONG, 45.0: RIGHT}, {7: WRONG, 30: RIGHT}
    )
    assert (blend.half_life, blend.days) == (45.0, 30)


def test_new_items_have_no_repeats() -> None:
    blend = fit_blend(judged(RELEVANT, ALLOWED), always(RIGHT), {}, {7: WRONG})
    assert blend.own == 0.0


def test_nobody_to_judge_leaves_the_transformer() -> None:
    none = np.zeros_like(RELEVANT)
    blend = fit_blend(judged(none, ALLOWED), always(RIGHT), {45.0: RIGHT}, {7: RIGHT})
    assert (blend.model, blend.own, blend.recent) == (1.0, 0.0, 0.0)
