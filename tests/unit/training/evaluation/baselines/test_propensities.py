"""The classifiers of the propensities."""

import numpy as np
import pyarrow.dataset as arrow_dataset
import pytest

from tests.unit.training.factory import examples
from training.data.users import HEADS
from training.evaluation.baselines import classifiers
from training.evaluation.baselines.classifiers import CLASSIFIERS, baseline_chances, windowed_rows
from training.evaluation.metrics import auc


def test_they_learn_what_can_be_learned_and_give_the_rate_of_one_class() -> None:
    generator = np.random.default_rng(2)
    features = generator.normal(size=(600, 3)).astype(np.float32)
    labels = np.zeros((600, len(HEADS)), np.float32)
    labels[:, 0] = features[:, 1] + 0.3 * generator.normal(size=600) > 0
    labels[:, 1] = 1
    labels[:, 2] = np.nan
    found = baseline_chances(features[:400], labels[:400], features[400:])
    for name in CLASSIFIERS:
        assert auc(labels[400:, 0], found[name][:, 0]) > 0.9
        assert (found[name][:, 1] == 1).all()
        assert (found[name][:, 2] == 0).all()


def test_rows_come_from_the_folds_before_the_judged_one() -> None:
    table = examples(20, 8)
    features, labels = windowed_rows(arrow_dataset.dataset(table))
    folds = table["fold"].to_pylist()
    assert len(features) == len(labels) == sum(fold != "test" for fold in folds)


def test_many_rows_are_sampled_by_user(monkeypatch: pytest.MonkeyPatch) -> None:
    table = arrow_dataset.dataset(examples(40, 8))
    whole, _ = windowed_rows(table)
    monkeypatch.setattr(classifiers, "ROWS", len(whole) // 2 + 1)
    half, _ = windowed_rows(table)
    assert 0 < len(half) < len(whole)
