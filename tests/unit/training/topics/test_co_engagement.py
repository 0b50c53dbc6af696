"""Weights between items that people turn to one after the other."""

import numpy as np
import pyarrow as pa
import pyarrow.dataset as arrow_dataset
import pytest
from scipy import sparse

from pipeline.tables.registry import USER_HISTORY
from tests.unit.training.factory import DS, daily, event, user_id
from training.topics import co_engagement as module
from training.topics.co_engagement import NEAR, co_engagement, mutual_information

pytestmark = pytest.mark.kernel

IDS = pa.array([f"shop:{n}" for n in range(6)])


def history(lives: list[list[dict]]) -> arrow_dataset.Dataset:
    rows = [
        {
            "ds": DS,
            "user_id": user_id(n),
            "platforms": ["shop"],
            "first_ds": DS,
            "last_ds": DS,
            "events": events,
            "daily": daily(events),
        }
        for n, events in enumerate(lives)
    ]
    table = pa.Table.from_pylist(rows, schema=USER_HISTORY.schema)
    return arrow_dataset.dataset(table)


def pairs(lives: list[list[dict]]) -> set[tuple[int, int]]:
    found = co_engagement(history(lives), DS, IDS)
    assert (found != found.T).nnz == 0
    return {(int(a), int(b)) for a, b in zip(*found.nonzero(), strict=True) if a < b}


def test_items_of_one_path_are_neighbours() -> None:
    one = [
        event("shop:0", "view", "2024-05-01"),
        event("shop:1", "purchase", "2024-05-01", 13),
        event("shop:2", "view", "2024-05-02"),
    ]
    other = [event("shop:3", "view", "2024-05-01"), event("shop:4", "cart", "2024-05-01")]
    assert pairs([one, other]) == {(0, 1), (0, 2), (1, 2), (3, 4)}
    found = co_engagement(history([one, other]), DS, IDS)
    assert found[0, 1] > 2 * found[1, 2]  # of one day, and of two
    assert found[1, 2] == pytest.approx(found[0, 2])


def test_far_apart_is_no_neighbour() -> None:
    days = [event(f"shop:{n}", "view", f"2024-05-0{n + 1}") for n in range(6)]
    assert pairs([days]) == {(n, m) for n in range(6) for m in range(n + 1, min(n + NEAR, 5) + 1)}


@pytest.mark.parametrize("kind", ["return", "search", "impression", "review"])
def test_other_events_do_not_count(kind: str) -> None:
    days = "2024-05-01"
    assert pairs([[event("shop:0", "view", days), event("shop:1", kind, days)]]) == set()


def test_unknown_items_and_repeats_do_not_count() -> None:
    day = "2024-05-01"
    items = ["shop:0", "shop:9", None, "shop:0", "shop:1"]
    assert pairs([[event(item, "view", day, hour) for hour, item in enumerate(items)]]) == {(0, 1)}


def test_nobody_gives_no_weight() -> None:
    assert co_engagement(history([]), DS, IDS).nnz == 0
    assert pairs([[]]) == set()


def test_mutual_information_by_hand() -> None:
    # items 0-1 three times, 2-3 three times, 0-2 once
    counts = np.zeros((4, 4), np.float32)
    counts[0, 1] = counts[1, 0] = counts[2, 3] = counts[3, 2] = 3
    counts[0, 2] = counts[2, 0] = 1
    found = mutual_information(sparse.csr_matrix(counts))
    total = 2 * 4**0.75 + 2 * 3**0.75
    there = np.log(3 / (4 * 3**0.75 / total)) * 3 / 4
    back = np.log(3 / (3 * 4**0.75 / total)) * 3 / 4
    assert found[0, 1] == pytest.approx((there + back) / 2, rel=1e-5)
    assert found[0, 2] == 0  # rarer than by chance


def test_batches_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(2)
    drawn = generator.integers((0, 1), (6, 5), size=(30, 8, 2))  # item and day of each event
    lives = [
        [
            event(f"shop:{item}", "view", f"2024-05-0{day}", hour)
            for hour, (item, day) in enumerate(sorted(events.tolist(), key=lambda it: it[1]))
        ]
        for events in drawn
    ]
    whole = co_engagement(history(lives), DS, IDS)
    monkeypatch.setattr(module, "PAIRS_AT_ONCE", 1)
    assert np.allclose(co_engagement(history(lives), DS, IDS).toarray(), whole.toarray())
