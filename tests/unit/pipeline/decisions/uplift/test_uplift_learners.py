"""The learners find who gains, and nobody is ranked or scored by what they themselves did."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.decisions.uplift.base_models import ridge
from pipeline.decisions.uplift.candidates import CANDIDATES
from pipeline.decisions.uplift.judge import findings, judge
from pipeline.decisions.uplift.prequential import judge_in_sequence
from pipeline.decisions.uplift.scorers import cross_fit
from pipeline.decisions.uplift.trial import fold_of, places
from tests.unit.pipeline.decisions.uplift.trials import drawn


@pytest.mark.parametrize("candidate", CANDIDATES, ids="_".join)
@pytest.mark.parametrize("share", [0.5, 0.2])
def test_every_learner_recovers_who_gains(candidate: tuple[str, str], share: float) -> None:
    made, truth = drawn(2_000, 11, share=share)
    found = cross_fit(made, places(made.users, made.name), candidate)
    assert found.learner == "_".join(candidate)
    assert np.corrcoef(found.uplift, truth)[0, 1] > 0.4
    assert abs(found.uplift.mean() - truth.mean()) < 0.1


def test_a_users_own_outcome_does_not_touch_their_score() -> None:
    """The outcomes of one fold turned around: its scores stay what they were."""
    made, _ = drawn(1_200, 12)
    place = places(made.users, made.name)
    mine = fold_of(place) == 2
    turned = replace(made, outcome=np.where(mine, 1 - made.outcome, made.outcome))
    before, after = (cross_fit(it, place, ("dr", "ridge")).uplift for it in (made, turned))
    assert after[mine].tolist() == before[mine].tolist()
    assert np.abs(after[~mine] - before[~mine]).max() > 0.01


def test_rankings_are_judged_on_folds_that_come_later() -> None:
    """Outcomes of fold 3 turned around: folds up to it are ranked as before, with the same
    learners, and only the later one is not."""
    made, _ = drawn(1_200, 13)
    place = places(made.users, made.name)
    turned = replace(made, outcome=np.where(fold_of(place) == 3, 1 - made.outcome, made.outcome))
    before, after = (judge_in_sequence(it, place) for it in (made, turned))
    early = before.fold <= 3
    assert set(before.fold) == {1, 2, 3, 4}
    assert after.uplift[early].tolist() == before.uplift[early].tolist()
    assert after.chosen[:3] == before.chosen[:3]
    assert np.abs(after.uplift[~early] - before.uplift[~early]).max() > 0.01
    assert before.chosen[0] == "dr_ridge"  # nothing is known yet: the first candidate


def test_an_effect_on_some_is_scored_and_one_on_all_is_not() -> None:
    some, truth = drawn(2_000, 14)
    found = judge(some)
    assert found.scored
    assert found.reason.startswith("Qini 0.0")
    assert found.difference_p_value < 0.01
    low, high = found.adjusted.interval()
    assert low < truth.mean() < high
    same = replace(some, outcome=(np.random.default_rng(1).random(2_000) < 0.2 + 0.3 * some.treated).astype(float))
    alike = findings(same, CANDIDATES[:1])
    low, high = alike.qini.interval
    assert low < 0 < high
    assert "it cannot be told" in alike.reason
    assert alike.plain.interval()[0] < 0.3 < alike.plain.interval()[1]


def test_the_ridge_finds_a_line_and_shrinks_noise_away() -> None:
    rng = np.random.default_rng(3)
    features = rng.normal(size=(2_000, 3))
    features[:, 2] = np.nan
    weight = rng.uniform(0.5, 2, 2_000)
    line = ridge(features, 5 + 2 * features[:, 0] + rng.normal(size=2_000) / 10, weight)
    asked = np.array([[0, 0, np.nan], [1, 0, np.nan], [np.nan, 1, 4]])
    assert line(asked) == pytest.approx([5, 7, 5], abs=0.15)
    flat = ridge(features, rng.normal(size=2_000), weight)
    assert np.abs(flat(asked) - flat(asked).mean()).max() < 0.05
