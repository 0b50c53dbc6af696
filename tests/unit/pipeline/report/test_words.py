"""Numbers as a person reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.report import words
from pipeline.report.words import Change


@pytest.mark.parametrize(
    ("now", "then", "relative", "direction"),
    [
        (110, 100, "+10 %", "up"),
        (101, 100, "+1.0 %", "up"),
        (50, 100, "-50 %", "down"),
        (3000, 1, "+299,900 %", "up"),
        (7, 7, "unchanged", "same"),
        (7, 0, "+7", "up"),
        (0, 7, "-100 %", "down"),
        (7, None, "no earlier night", "none"),
        (None, 7, "no earlier night", "none"),
    ],
)
def test_changes(now: float | None, then: float | None, relative: str, direction: str) -> None:
    change = Change(now, then)
    assert (change.relative, change.direction) == (relative, direction)


def test_changes_of_shares() -> None:
    assert Change(0.25, 0.2).in_points == "+5.0 pts"
    assert Change(0.2501, 0.25).in_points == "unchanged"


@pytest.mark.parametrize(
    ("users", "shown"),
    [(0, "0"), (1, "< 5"), (4, "< 5"), (5, "5"), (12345, "12,345"), (None, "< 5")],
)
def test_few_people_are_not_told_apart(users: int | None, shown: str) -> None:
    assert words.people(users) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(8.44, "8.4 s"), (59.96, "60.0 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")],
)
def test_durations(seconds: float, shown: str) -> None:
    assert words.duration(seconds) == shown


def test_days() -> None:
    assert words.long_day("2026-03-31") == "Tuesday, 31 March 2026"
    assert words.short_day("2026-03-01") == "1 Mar"


def test_wide_letters_take_two_columns() -> None:
    assert words.shortened("camping stove", 20) == "camping stove"
    assert words.shortened("camping stove", 8) == "camping…"
    assert words.shortened("手作りの陶器", 7) == "手作り…"
    assert words.share(1, 0) is None and words.share(None, 3) is None


def test_the_rest_of_a_whole_does_not_tell_of_a_few() -> None:
    assert words.veiled({"a": 100, "b": 5, "c": 0}) == set()
    assert words.veiled({"a": 100, "b": 40, "c": 3, "d": 0}) == {"b", "c"}
    assert words.veiled({"a": 100, "b": 40, "c": 3, "d": 2}) == {"c", "d"}
    assert words.veiled({"a": 100, "b": 40, "c": 2, "d": 2}) == {"b", "c", "d"}
    assert words.tellable(5, 10) and words.tellable(0, 5)
    assert not words.tellable(4, 10) and not words.tellable(97, 100)


@given(st.dictionaries(st.text(min_size=1), st.integers(0, 20)))
def test_what_is_hidden_cannot_be_counted(groups: dict[str, int]) -> None:
    hidden = words.veiled(groups)
    there = {name for name, users in groups.items() if users}
    assert all(users == 0 or users >= 5 for name, users in groups.items() if name not in hidden)
    together = sum(groups[name] for name in hidden)
    assert not hidden or hidden == there or (len(hidden) > 1 and together >= 5)
