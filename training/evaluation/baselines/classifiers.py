"""Logistic regression and LightGBM on windowed counts: the baselines that the propensities must beat."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as arrow_dataset

from training.data.arrow import day_numbers, in_sample
from training.data.users import HEADS
from training.data.windowed_counts import windowed_counts

CLASSIFIERS = ("logistic", "lightgbm")
FOLDS = ("train", "valid")  # windows that end before the judged one begins
ROWS = 60_000  # about how many rows are learned from
SEED = 7

Chances = dict[str, np.ndarray]  # classifier -> [rows, HEADS]


def windowed_rows(rows: arrow_dataset.Dataset, folds: tuple[str, ...] = FOLDS) -> tuple[np.ndarray, np.ndarray]:
    """[rows, features] and [rows, HEADS] labels of the folds; from a hash-based sample of users if there are many."""
    wanted = pc.is_in(pc.field("fold"), pa.array(folds))
    shares = max(1, -(-rows.count_rows(filter=wanted) // ROWS))
    features, labels = [], []
    columns = ["user_id", "cutoff_ds", "daily", *HEADS]
    for mine in rows.to_batches(columns=columns, filter=wanted & in_sample(shares)):
        if mine.num_rows:
            as_of = day_numbers(mine["cutoff_ds"])
            features.append(windowed_counts(mine["daily"], as_of).features())
            found = [pc.cast(mine[head], pa.float32()).to_numpy() for head in HEADS]
            labels.append(np.stack(found, axis=1))
    return np.concatenate(features), np.concatenate(labels)


def baseline_chances(features: np.ndarray, labels: np.ndarray, judged: np.ndarray) -> Chances:
    """Fits on `features` and `labels`, predicts for `judged` [rows, features]."""
    found = {name: np.zeros((len(judged), len(HEADS)), np.float32) for name in CLASSIFIERS}
    for column in range(len(HEADS)):
        known = ~np.isnan(labels[:, column])
        for name in CLASSIFIERS:
            found[name][:, column] = _chances(name, features[known], labels[known, column], judged)
    return found


def _chances(name: str, features: np.ndarray, labels: np.ndarray, judged: np.ndarray) -> np.ndarray:
    """If the labels have one class, the result is its rate."""
    if len(np.unique(labels)) < 2:
        return np.full(len(judged), labels.mean() if len(labels) else 0.0)
    classifier = _logistic() if name == "logistic" else _trees()
    classifier.fit(features, labels)
    return classifier.predict_proba(judged)[:, 1]


def _logistic():  # type: ignore[no-untyped-def]
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=0.03, max_iter=500))


def _trees():  # type: ignore[no-untyped-def]
    from lightgbm import LGBMClassifier

    return LGBMClassifier(
        n_estimators=100,
        learning_rate=0.03,
        num_leaves=7,
        min_child_samples=50,
        reg_lambda=5.0,
        subsample=0.8,
        subsample_freq=1,
        colsample_bytree=0.6,
        random_state=SEED,
        deterministic=True,
        n_jobs=2,
        verbose=-1,
    )
