"""Which items the same people turn to on the same day: weights between items.

Positive pointwise mutual information, with context counts to the power 0.75 (Levy, Goldberg and
Dagan 2015) and rare pairs discounted (Pantel and Lin 2002).
"""

import numpy as np
import pyarrow as pa
import pyarrow.dataset as arrow_dataset
from scipy import sparse

from training.arrow_columns import buckets, day_number
from training.catalogue import Catalogue
from training.rankers.engagements import Engagements, engagements
from training.rankers.platforms import shares
from training.sequences import sequences

NEAR = 4  # items of a user's day that count as one's neighbours, on each side
POWER = 0.75
PAIRS_AT_ONCE = 8_000_000  # gathered before they are added up: bounds memory


def co_engagement(history: arrow_dataset.Dataset, ds: str, ids: pa.Array) -> sparse.csr_matrix:
    """[items, items] symmetric, non-negative weights; of all users or a hash share of very many."""
    size, of = len(ids), shares(history.count_rows())
    total, waiting, number = sparse.csr_matrix((size, size), dtype=np.float32), [], 0
    known = Catalogue(ids, np.zeros((size, 0)), (), np.zeros(0), np.zeros(0), "")
    for batch in history.to_batches(columns=["user_id", "events"]):
        users = batch.filter(pa.array(buckets(batch["user_id"], of) == 0))
        events = sequences(users["events"], known)
        rows = np.arange(users.num_rows)
        waiting.append(neighbours(engagements(events, rows, day_number(ds), size)))
        number += waiting[-1].shape[1]
        if number > PAIRS_AT_ONCE:
            total, waiting, number = total + _counted(waiting, size), [], 0
    return mutual_information(total + _counted(waiting, size))


def neighbours(engaged: Engagements) -> np.ndarray:
    """[2, pairs] items within NEAR steps of one another among those of a user's day, once each."""
    order = np.lexsort((engaged.place, engaged.age, engaged.row))
    day = engaged.row[order] * (engaged.age.max(initial=0) + 1) + engaged.age[order]
    item, found = engaged.item[order], [np.zeros((2, 0), np.int32)]
    for step in range(1, NEAR + 1):
        same = day[step:] == day[:-step]
        found.append(np.stack([item[:-step][same], item[step:][same]]).astype(np.int32))
    return np.concatenate(found, axis=1)


def mutual_information(counts: sparse.csr_matrix) -> sparse.csr_matrix:
    """Of symmetric counts of pairs."""
    pairs = counts.tocoo()
    each = np.asarray(counts.sum(axis=1)).ravel()
    share = each**POWER / max((each**POWER).sum(), 1e-9)
    expected = each[pairs.row] * share[pairs.col]
    gain = np.log(pairs.data / expected) * pairs.data / (pairs.data + 1)
    kept = gain > 0
    where = (pairs.row[kept], pairs.col[kept])
    found = sparse.csr_matrix((gain[kept].astype(np.float32), where), counts.shape)
    return ((found + found.T) / 2).tocsr()


def _counted(pairs: list[np.ndarray], size: int) -> sparse.csr_matrix:
    first, second = np.concatenate(pairs or [np.zeros((2, 0), np.int32)], axis=1)
    ones = np.ones(len(first), np.float32)
    one_way = sparse.csr_matrix((ones, (first, second)), (size, size))
    return (one_way + one_way.T).tocsr()
