"""Which items the same people engage with one after the other: weights between items.

Positive pointwise mutual information, with context counts to the power 0.75 (Levy, Goldberg and Dagan 2015) and rare
pairs discounted (Pantel and Lin 2002).
"""

from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.dataset as arrow_dataset
from scipy import sparse

from pipeline.runtime.near_ties import DOUBLE
from training.data.arrow import day_number, in_sample
from training.data.catalogue import Catalogue
from training.data.sequences import sequences
from training.ranking.engagements import Engagements, engagements, shares

NEAR = 4  # steps of a user's path within which two items are neighbours
# What a pair counts if both items are from one day, or from different days. Whole numbers, so the sum does not depend
# on the order in which users are read.
SAME_DAY, OTHER_DAY = 10, 3
POWER = 0.75
USERS_AT_ONCE = 8_192
PAIRS_AT_ONCE = 8_000_000  # gathered before they are added up: bounds memory

Pairs: TypeAlias = tuple[np.ndarray, np.ndarray, np.ndarray]  # two items, what the pair counts


def co_engagement(history: arrow_dataset.Dataset, ds: str, ids: pa.Array) -> sparse.csr_matrix:
    """[items, items] symmetric, non-negative weights, from all users, or from a hash-based sample if there are very
    many."""
    size, of = len(ids), shares(history.count_rows())
    total, waiting, number = sparse.csr_matrix((size, size), dtype=np.int32), [], 0
    known = Catalogue(ids, np.zeros((size, 0)), (), np.zeros(0), np.zeros(0), "")
    columns = ["user_id", "events"]
    sample = in_sample(of)
    for users in history.to_batches(columns=columns, filter=sample, batch_size=USERS_AT_ONCE, batch_readahead=1):
        events = sequences(users["events"], known)
        rows = np.arange(users.num_rows)
        waiting.append(neighbours(engagements(events, rows, day_number(ds), size)))
        number += len(waiting[-1][0])
        if number > PAIRS_AT_ONCE:
            total, waiting, number = total + _counted(waiting, size), [], 0
    return mutual_information((total + _counted(waiting, size)).astype(np.float64) / SAME_DAY)


def neighbours(engaged: Engagements) -> Pairs:
    """Pairs of items within NEAR steps of each other on a user's path; an item counts once a day."""
    order = np.lexsort((engaged.place, engaged.age, engaged.row))
    row, age, item = engaged.row[order], engaged.age[order], engaged.item[order].astype(np.int32)
    found: list[Pairs] = [(item[:0], item[:0], np.zeros(0, np.int32))]
    for step in range(1, NEAR + 1):
        near = (row[step:] == row[:-step]) & (item[step:] != item[:-step])
        counts = np.where(age[step:] == age[:-step], SAME_DAY, OTHER_DAY).astype(np.int32)
        found.append((item[:-step][near], item[step:][near], counts[near]))
    return _joined(found)


def mutual_information(counts: sparse.csr_matrix) -> sparse.csr_matrix:
    """Of symmetric counts of pairs."""
    pairs = counts.tocoo()
    each = np.asarray(counts.sum(axis=1)).ravel()
    share = each**POWER / max((each**POWER).sum(), 1e-9)
    expected = each[pairs.row] * share[pairs.col]
    gain = np.log(pairs.data / expected) * pairs.data / (pairs.data + 1)
    kept = gain > DOUBLE
    where = (pairs.row[kept], pairs.col[kept])
    found = sparse.csr_matrix((gain[kept].astype(np.float32), where), counts.shape)
    return ((found + found.T) / 2).tocsr()


def _counted(pairs: list[Pairs], size: int) -> sparse.csr_matrix:
    if not pairs:
        return sparse.csr_matrix((size, size), dtype=np.int32)
    first, second, counts = _joined(pairs)
    one_way = sparse.csr_matrix((counts, (first, second)), (size, size))
    return (one_way + one_way.T).tocsr()


def _joined(pairs: list[Pairs]) -> Pairs:
    first, second, counts = (np.concatenate(part) for part in zip(*pairs, strict=True))
    return first, second, counts
