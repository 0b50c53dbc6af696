"""Cut-offs of training examples, for logs of every length."""

import pytest

from pipeline.runtime.days import shift
from pipeline.runtime.errors import ModelError
from spark_jobs.states.examples import choose_cutoffs

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
