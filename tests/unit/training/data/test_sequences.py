"""Event lists as arrays, and counts over windows, by hand."""

import numpy as np
import pyarrow as pa
import pytest

from pipeline.tables.registry import EVENT_TYPES, USER_HISTORY
from tests.unit.training.factory import daily, embeddings, event
from training.data.arrow import day_number
from training.data.catalogue import Catalogue, build_catalogue
from training.data.rhythm import RHYTHM, rhythm
from training.data.sequences import sequences
from training.data.windowed_counts import FEATURES, windowed_counts

EVENTS = USER_HISTORY.column("events").type
DAILY = USER_HISTORY.column("daily").type


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return build_catalogue(embeddings(4))


def test_events_become_codes(catalogue: Catalogue) -> None:
    first = [
        event("shop:002", "view", "2024-01-01", 12, price=3.0),
        event(None, "search", "2024-01-01", 13, price=0.0),
        event("shop:404", "purchase", "2024-01-02", 13, price=1.0),  # not in the catalogue
    ]
    found = sequences(pa.array([first, [], [first[0]]], EVENTS), catalogue)
    assert found.offsets.tolist() == [0, 3, 3, 4]
    assert found.item.tolist() == [2, -1, -1, 2]
    assert [EVENT_TYPES[kind] for kind in found.kind] == ["view", "search", "purchase", "view"]
    # log2(1 + 3600) = 11.8, log2(1 + 86400) = 16.4; the first event of a row has no gap.
    assert found.gap.tolist() == [0, 11, 16, 0]
    # log2(1 + 3) = 2 and log2(1 + 1) = 1, one above because 0 means no price.
    assert found.price.tolist() == [3, 0, 2, 3]
    assert found.engaged.tolist() == [True, False, False, True]


def test_events_of_rows_in_any_order(catalogue: Catalogue) -> None:
    rows = [[event(f"shop:00{n}", "view", "2024-01-01")] * (n + 1) for n in range(3)]
    found = sequences(pa.array(rows, EVENTS), catalogue)
    place, position = found.events_of(np.array([2, 0]))
    assert place.tolist() == [0, 0, 0, 1]
    assert found.item[position].tolist() == [2, 2, 2, 0]


def test_a_slice_of_a_column_reads_its_own_rows(catalogue: Catalogue) -> None:
    rows = [[event(f"shop:00{n}", "view", "2024-01-01")] for n in range(3)]
    found = sequences(pa.chunked_array([pa.array(rows, EVENTS)]).slice(1, 2), catalogue)
    assert found.item.tolist() == [1, 2]


def test_windowed_counts_by_hand() -> None:
    events = [
        event("shop:001", "purchase", "2024-01-01", price=10.0),  # 28 days ago: outside 28 days
        event("shop:001", "view", "2024-01-02"),  # 27 days ago
        event("shop:001", "purchase", "2024-01-22", price=2.5),  # 7 days ago: outside 7 days
        event("shop:001", "purchase", "2024-01-22", price=2.5),
        event("shop:001", "view", "2024-01-29"),  # the day itself
    ]
    as_of = np.array([day_number("2024-01-29")] * 2)
    found = windowed_counts(pa.array([daily(events), []], DAILY), as_of)
    assert found.count("purchase", 365).tolist() == [3, 0]
    assert found.count("purchase", 28).tolist() == [2, 0]
    assert found.count("view", 28).tolist() == [2, 0]
    assert found.count("events", 7).tolist() == [1, 0]
    assert found.spend[0].tolist() == [0.0, 0.0, 5.0, 15.0, 15.0]
    assert found.active_days[0].tolist() == [1, 1, 3, 4, 4]
    assert found.purchase_days[0].tolist() == [0, 0, 1, 2, 2]
    assert (found.recency[0], found.tenure[0], found.purchase_recency[0]) == (0, 28, 7)
    assert found.recency[1] == 365
    assert found.features().shape == (2, len(FEATURES))
    assert np.isfinite(found.features()).all()


def test_impressions_are_counted_and_are_no_activity() -> None:
    acts = [event("shop:001", "view", "2024-01-02"), event("shop:001", "purchase", "2024-01-10")]
    shown = [event("shop:001", "impression", ds) for ds in ("2024-01-01", "2024-01-28")]
    days = pa.array([daily(acts), daily(acts + shown), daily(shown)], DAILY)
    as_of = np.array([day_number("2024-01-29")] * 3)
    found = windowed_counts(days, as_of)
    assert found.count("impression", 365).tolist() == [0, 2, 2]
    assert found.active_days[:, -1].tolist() == [2, 2, 0]
    assert found.recency.tolist() == [19, 19, 1]  # of who was only shown things, of the impressions
    assert found.tenure.tolist() == [27, 27, 28]
    place = [n for n, name in enumerate(RHYTHM) if name.startswith("active_")]
    paces = rhythm(days, as_of)[:, place]
    np.testing.assert_array_equal(paces[0], paces[1])
    assert paces[2][place.index(RHYTHM.index("active_decayed_28d"))] == 0
