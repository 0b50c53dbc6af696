"""The users of a night, each scored by the models of the folds that they are not in."""

from collections.abc import Callable

import numpy as np
import polars as pl
import pyarrow as pa

from pipeline.decisions.campaigns.contexts import read_users
from pipeline.decisions.uplift.effects import decile_of
from pipeline.decisions.uplift.inputs import READ, encode
from pipeline.decisions.uplift.judge import Findings
from pipeline.decisions.uplift.trial import FOLDS, fold_of, places
from pipeline.runtime.near_ties import DOUBLE
from pipeline.runtime.settings import Settings
from pipeline.storage.files import DayFile
from pipeline.tables.uplift import USER_UPLIFT

BATCH_ROWS = 50_000


def score_night(
    found: Findings,
    settings: Settings,
    ds: str,
    admits: Callable[[pa.Array], pa.Array] | None,
    file: DayFile,
) -> tuple[int, int]:
    """Writes the rows of the users of `ds` whom `admits` admits; returns how many, and how many were left out as unlike
    any user of the trial."""
    users = left_out = 0
    frame = read_users(settings, ds, ["user_id", *READ])
    ranges = _ranges(found.trial.features)
    for batch in frame.collect_batches(chunk_size=BATCH_ROWS, maintain_order=True):
        ids = batch["user_id"].to_arrow().cast(pa.string())
        rows = batch.filter(pl.Series(admits(ids).to_pylist())) if admits else batch
        features = encode(rows)
        alike = _within(features, ranges)
        if alike.any():
            file.write(_rows(found, rows["user_id"].to_numpy()[alike], features[alike], ds))
        users, left_out = users + int(alike.sum()), left_out + int((~alike).sum())
    return users, left_out


def _rows(found: Findings, users: np.ndarray, features: np.ndarray, ds: str) -> pa.Table:
    trial, scorers = found.trial, found.scorers
    place = places(users, trial.name)
    uplift, decile = scorers.score_users(place, features), np.ones(len(users), int)
    for number in range(FOLDS):
        mine = fold_of(place) == number
        decile[mine] = _decile(uplift[mine], np.sort(scorers.uplift[scorers.fold == number]))
    bounds = np.array([(it.value, *it.interval()) for it in found.deciles])[decile - 1]
    columns = {
        "ds": pa.repeat(ds, len(users)),
        "trial": pa.repeat(trial.name, len(users)),
        "user_id": pa.array(users, pa.string()),
        "treatment": pa.repeat(trial.treatment, len(users)),
        "outcome": pa.repeat(trial.measure, len(users)),
        "uplift": uplift,
        "decile": pa.array(decile, pa.int32()),
        "decile_effect": bounds[:, 0],
        "decile_low": bounds[:, 1],
        "decile_high": bounds[:, 2],
        "learner": pa.repeat(scorers.learner, len(users)),
    }
    return pa.table(columns, schema=USER_UPLIFT.schema)


def _decile(uplift: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The decile among the trial's users of the same fold; among equals the middle."""
    near = DOUBLE * np.abs(known).max(initial=0)
    low, high = known.searchsorted(uplift - near), known.searchsorted(uplift + near, "right")
    below = (low + high) / 2
    return decile_of(1 - below / len(known))


def _ranges(features: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Least and greatest value of each column, and whether it was ever unknown."""
    unknown = np.isnan(features)
    low = np.where(unknown, np.inf, features).min(axis=0)
    high = np.where(unknown, -np.inf, features).max(axis=0)
    return low, high, unknown.any(axis=0)


def _within(features: np.ndarray, ranges: tuple[np.ndarray, np.ndarray, np.ndarray]) -> np.ndarray:
    """Users within the trial's range in every column: models are not asked beyond it."""
    low, high, unknown = ranges
    inside = (features >= low) & (features <= high)
    return np.all(np.where(np.isnan(features), unknown, inside), axis=1)
