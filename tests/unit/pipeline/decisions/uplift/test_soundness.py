"""What is no trial is refused, with what was found."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.decisions.uplift.soundness import check, check_balance, check_sizes, check_weights
from pipeline.runtime.errors import UpliftError
from tests.unit.pipeline.decisions.uplift.trials import drawn

MADE, _ = drawn(2_000, 21)


def test_a_sound_trial_passes() -> None:
    check(MADE)
    check(drawn(2_000, 22, share=0.2)[0])


@pytest.mark.parametrize("wrong", [0.0, 1.0, 1.2, np.nan])
def test_propensities_that_leave_no_choice(wrong: float) -> None:
    propensity = MADE.propensity.copy()
    propensity[7:9] = wrong
    with pytest.raises(UpliftError, match=rf"found {wrong} and the like of 2 users"):
        check(replace(MADE, propensity=propensity))


def test_too_few_users_or_outcomes() -> None:
    with pytest.raises(UpliftError, match=r"at least 200 users of arm new, .* collect more"):
        check(MADE.rows(~MADE.treated | (np.arange(2_000) < 300)))
    with pytest.raises(UpliftError, match="and 0 outcomes"):
        check(replace(MADE, outcome=np.where(MADE.treated, 0.0, MADE.outcome)))
    rare = np.where(np.arange(2_000) < 1_980, 0.001, 0.5)  # a few rows outweigh all others
    with pytest.raises(UpliftError, match="worth"):
        check(replace(MADE, propensity=np.where(rare == 0.5, 0.001, 0.5)))


def test_propensities_that_are_not_those_of_the_log() -> None:
    with pytest.raises(UpliftError, match=r"arm new to average 1 over 2,000 users, found 0\.6"):
        check_weights(replace(MADE, propensity=np.where(MADE.treated, 0.8, 0.2)))


def test_arms_that_features_foretell() -> None:
    """Heavy buyers are lost from the control, or a feature knows who was treated."""
    lost = MADE.rows(MADE.treated | (MADE.features[:, 1] < 1))
    with pytest.raises(UpliftError, match="arms that features do not foretell"):
        check_balance(lost)
    features = MADE.features.copy()
    features[:, 4] += 0.5 * MADE.treated
    with pytest.raises(UpliftError, match="a feature knows what came after entry"):
        check_balance(replace(MADE, features=features))


def test_arms_that_features_decide_are_sound_under_their_propensities() -> None:
    """A policy that prefers some users is no fault: the weights undo it."""
    rng = np.random.default_rng(4)
    chance = np.where(MADE.features[:, 0] > 0, 0.7, 0.3)
    treated = rng.random(2_000) < chance
    made = replace(MADE, treated=treated, propensity=np.where(treated, chance, 1 - chance))
    check(made)
    with pytest.raises(UpliftError, match="foretell"):
        check_balance(replace(made, propensity=np.full(2_000, 0.5)))


def test_a_trial_of_few_users_does_not_say_how_few() -> None:
    """The message is on a page."""
    single = MADE.rows(~MADE.treated | (np.cumsum(MADE.treated) == 1) & MADE.treated)
    with pytest.raises(UpliftError) as caught:
        check_sizes(replace(single, outcome=np.full(len(single), 3.5)))
    assert "found < 5 users (worth < 5 by their weights) and < 5 outcomes" in str(caught.value)
