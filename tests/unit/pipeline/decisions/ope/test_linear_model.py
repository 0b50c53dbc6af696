"""The reward model over features equals one ridge regression per arm and half."""

import numpy as np
import pytest

from pipeline.decisions.ope.linear_model import RIDGE, fit_linear
from pipeline.decisions.ope.log import Log
from pipeline.decisions.ope.reward_model import fold_of


def synthetic(rows: int = 400) -> Log:
    rng = np.random.default_rng(2)
    context, action = rng.normal(size=(rows, 2)), rng.integers(0, 3, rows)
    reward = context[:, 0] * (action - 1) + rng.normal(0, 0.1, rows)
    return Log.checked(("a", "b", "c"), action, reward, np.full(rows, 1 / 3), np.arange(rows), context=context)


def test_equals_ridge_towards_the_mean_reward() -> None:
    log = synthetic()
    learned = (fold_of(log) == 1) & (log.action == 2)
    features = np.column_stack([log.context[learned], np.ones(learned.sum())])
    prior = np.array([0, 0, log.reward[fold_of(log) == 1].mean()])
    left = features.T @ features + RIDGE * np.eye(3)
    expected = np.linalg.solve(left, features.T @ log.reward[learned] + RIDGE * prior)
    chunks = [log.rows(slice(0, 150)), log.rows(slice(150, 400))]
    assert fit_linear(chunks).coefficients[0, 2] == pytest.approx(expected)


def test_the_value_of_a_policy_weighs_the_arms_of_each_row() -> None:
    log = synthetic()
    model = fit_linear([log])
    policy = np.full((len(log), 3), [0.2, 0.3, 0.5])
    first = model.coefficients[fold_of(log)[0]] @ [*log.context[0], 1]
    assert model.under(policy, log)[0] == pytest.approx(first @ [0.2, 0.3, 0.5])
    assert model.logged(log)[0] == pytest.approx(first[log.action[0]])
    assert np.corrcoef(model.logged(log), log.reward)[0, 1] > 0.95
