"""How far a user's vector has moved: now against 28 days ago, both by the same model.

Vectors of two model versions say nothing of one another, so no published vector is looked up: the
model reads the history once more as it was known then. That also holds on the day after a new
model was promoted.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from pipeline.runtime.days import shift
from training.data.arrow import Column, kept, lengths, plain
from training.model.predictor import Predictor
from training.data.sequences import sequences

DAYS = 28


def embedding_drift(history: pa.Table, ds: str, predictor: Predictor, users: Tensor) -> pa.Array:
    """[rows] cosine distances; `users` are the vectors of the rows of `user_history` at `ds`.

    0 where nothing came since, null where no listed event was known then.
    """
    then = known_by(history["events"], shift(ds, -DAYS))
    size, was = lengths(history["events"]), lengths(then)
    found = np.zeros(len(then), dtype=np.float32)
    moved = np.flatnonzero((was > 0) & (was < size))
    if len(moved):
        past = sequences(then.take(pa.array(moved)), predictor.catalogue)
        before = predictor.vectors(past, np.arange(len(moved)))
        now = users[torch.from_numpy(moved).to(users.device)]
        cosine = torch.cosine_similarity(now.double(), before.double(), dim=1)
        found[moved] = (1 - cosine).clamp(0, 2).cpu().numpy()
    return pa.array(found, mask=was == 0)


def known_by(events: Column, ds: str) -> pa.ListArray:
    """A list column of events, without those that arrived after `ds`."""
    lists = plain(events)
    known = pc.less_equal(pc.struct_field(lists.flatten(), "arrival_ds"), ds)
    return kept(lists, known.to_numpy(zero_copy_only=False))
