"""The blend takes the ranker that is right, and never does worse than a part on its window."""

import numpy as np

from training.blend import fit_blend, judged

RIGHT = np.array([[0.0, 0.1, 0.9], [0.9, 0.1, 0.0]], dtype=np.float32)
WRONG = RIGHT[:, ::-1].copy()
FLAT = np.full((2, 3), 1 / 3, dtype=np.float32)
RELEVANT = np.array([[False, False, True], [True, False, False]])
ALLOWED = np.ones((2, 3), dtype=bool)


def test_the_right_part_wins() -> None:
    score = judged(RELEVANT, ALLOWED)
    for parts in ((RIGHT, WRONG, WRONG), (WRONG, RIGHT, WRONG), (WRONG, WRONG, RIGHT)):
        model, own, recent = parts
        blend = fit_blend(score, model, {45.0: own}, {7: recent})
        assert score(blend.mix(model, own, recent)) == 1.0


def test_half_life_and_window_are_those_that_rank_best_alone() -> None:
    blend = fit_blend(
        judged(RELEVANT, ALLOWED), FLAT, {15.0: WRONG, 45.0: RIGHT}, {7: WRONG, 30: RIGHT}
    )
    assert (blend.half_life, blend.days) == (45.0, 30)


def test_new_items_have_no_repeats() -> None:
    blend = fit_blend(judged(RELEVANT, ALLOWED), RIGHT, {}, {7: WRONG})
    assert blend.own == 0.0


def test_nobody_to_judge_leaves_the_transformer() -> None:
    none = np.zeros_like(RELEVANT)
    blend = fit_blend(judged(none, ALLOWED), RIGHT, {45.0: RIGHT}, {7: RIGHT})
    assert (blend.model, blend.own, blend.recent) == (1.0, 0.0, 0.0)
