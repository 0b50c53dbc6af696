"""Recall by texts alone on vectors that a person can follow, and the gate both ways."""

import numpy as np
import pytest

from pipeline.runtime.errors import ModelError
from tests.unit.training.adaptation.tiny import CUT, events, items
from training.adaptation import judge as judging
from training.adaptation.judge import METRICS, gains, judge, later_of, may_replace

CLOSE = {"red mug": (1.0, 0.0), "blue cup": (0.9, 0.1), "drill": (0.0, 1.0), "lamp": (0.1, 0.9)}
SHOP = items({"s:1": "red mug", "s:2": "blue cup", "s:3": "drill", "s:4": "lamp"})
LOG = events(
    [
        ("a", "s:1", "view", 0, None),
        ("a", "s:2", "purchase", 25, None),  # cold: nobody came to it before
        ("b", "s:3", "view", 0, None),
        ("b", "s:1", "view", 25, None),
        ("b", "s:4", "view", 26, None),  # cold
        ("c", "s:3", "view", 1, None),  # nothing later
        ("d", "s:4", "view", 27, None),  # nothing before
    ]
)


class Fixed:
    """Vectors that are written down."""

    version = "fixed@1"

    def __init__(self, vectors: dict[str, tuple[float, float]]) -> None:
        self.vectors = vectors

    def encode(self, texts: list[str]) -> np.ndarray:
        return np.array([self.vectors[text] for text in texts], np.float32)


def test_recall_of_all_and_of_cold_items_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Best two of a: mug, cup, so its one cold answer is found. Of b: drill, lamp: the cold one of its two answers."""
    monkeypatch.setattr(judging, "KS", (1, 2))
    monkeypatch.setattr(judging, "METRICS", tuple(f"{kind}_recall_{k}" for kind in ("all", "cold") for k in (1, 2)))
    later = later_of(LOG, SHOP, CUT, 100, 7)
    assert later.users == 2 and later.cold.tolist() == [False, True, False, True]
    found = judge(Fixed(CLOSE), later)
    assert found["all_recall_1"].tolist() == [0, 0]
    assert found["all_recall_2"].tolist() == [1, 0.5]
    assert found["cold_recall_2"].tolist() == [1, 1]


def test_the_last_ten_items_count() -> None:
    shop = items({f"s:{n:02d}": f"thing {n}" for n in range(14)})
    rows = [("a", f"s:{n:02d}", "view", n / 2, None) for n in range(12)]
    rows += [("a", "s:11", "view", 7, None), ("a", "s:13", "view", 25, None)]
    later = later_of(events(rows), shop, CUT, 10, 7)
    assert sorted(later.past[:, 1].tolist()) == list(range(2, 12))
    assert later.answers.tolist() == [[0, 13]]


def test_a_log_without_later_users_is_named() -> None:
    with pytest.raises(ModelError, match=r"both up to 2024-05-20 and after it, found none of 1 and 0"):
        later_of(events([("a", "s:1", "view", 0, None)]), SHOP, CUT, 10, 7)


def recalls(every: float, cold: float | None, users: int = 400) -> dict[str, np.ndarray]:
    """Users of whom that share has each recall of 1; None: nobody has a cold answer."""
    rank = (np.arange(users) + 0.5) / users
    values = {name: (rank < every).astype(float) for name in METRICS if name.startswith("all")}
    hit = np.full(users, np.nan) if cold is None else (rank < cold).astype(float)
    return values | {name: hit for name in METRICS if name.startswith("cold")}


@pytest.mark.parametrize(
    ("every", "cold", "promoted", "reason"),
    [
        (0.2, 0.3, True, "cold_recall_50: better"),
        (0.4, 0.3, True, "all_recall_50: better"),
        (0.2, 0.1, False, "cold_recall_50: not worse"),  # the same
        (0.1, 0.3, False, "all_recall_50: worse"),
        (0.2, 0.05, False, "cold_recall_50: worse"),
        (0.3, None, False, "cold items cannot be judged"),
    ],
)
def test_the_gate(every: float, cold: float | None, promoted: bool, reason: str) -> None:
    before, after = recalls(0.2, 0.1), recalls(every, cold)
    decision = may_replace(gains(before, after))
    assert decision.promoted is promoted
    assert any(reason in told for told in decision.reasons), decision.reasons
