"""Cut-offs of training examples, for logs of every length."""

from datetime import datetime

import polars as pl
import pytest

from pipeline.runtime.days import shift
from pipeline.runtime.errors import ModelError
from spark_jobs.states.examples import Cutoff, choose_cutoffs, examples

LAST = "2011-11-09"


def ages(logged: int) -> list[tuple[str, int]]:
    """Fold and age in days of the cut-offs of a log of that many days."""
    ages = {shift(LAST, -age): age for age in range(200)}
    first = shift(LAST, 1 - logged)
    return [(cutoff.fold, ages[cutoff.ds]) for cutoff in choose_cutoffs(first, LAST)]


@pytest.mark.parametrize(
    ("logged", "train"),
    [
        (70, [63]),  # D-63 then has the 7 days D-69..D-63 before it
        (76, [63]),
        (77, [63, 70]),
        (111, [63, 70]),
        (112, [84, 98]),  # D-98 has the 14 days D-111..D-98
        (125, [84, 98]),
        (126, [84, 98, 112]),
        (140, [84, 98, 112, 126]),
        (365, [84, 98, 112, 126]),
    ],
)
def test_cutoffs(logged: int, train: list[int]) -> None:
    assert ages(logged) == [("test", 28), ("valid", 56), *[("train", age) for age in train]]


def test_too_short_a_log_is_refused() -> None:
    with pytest.raises(ModelError, match=r"at least 70 days, found 69 .*; load more days"):
        ages(69)


def test_who_is_only_shown_things_has_left() -> None:
    """Impressions are in the counts, and neither keep a user nor are a future."""

    def event(user: str, kind: str, ds: str) -> dict:
        facts = {"quantity": 1.0, "price": 2.0, "text": None, "event_time": datetime.fromisoformat(f"{ds}T12:00:00Z")}
        return {"user_id": user, "platform": "shop", "item_id": "shop:1", "event_type": kind, "arrival_ds": ds, **facts}

    cutoff = "2024-01-10"
    rows = [event(user, "view", "2024-01-05") for user in "abc"]
    rows += [event("a", "impression", "2024-01-12"), event("b", "impression", "2024-01-12")]
    rows += [event("b", "review", "2024-01-20")]
    found = examples(pl.DataFrame(rows), "2024-02-07", [Cutoff(cutoff, "test")], 365, 100).sort("user_id")
    assert found["churn_7d"].to_list() == [True, True, True]
    assert found["churn_28d"].to_list() == [True, False, True]
    assert found["future"].list.len().to_list() == [0, 1, 0]
