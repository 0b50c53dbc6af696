"""PSI against values computed by hand; defined for empty bins, constants, nights without users."""

import math

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.report.shift import bin_conditions, by_chance, psi, verdict

COUNTS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=12)


def test_by_hand() -> None:
    # Shares (10.5, 30.5) / 41 then and (30.5, 10.5) / 41 now: twice 20/41 x ln(30.5/10.5).
    assert psi([10, 30], [30, 10]) == pytest.approx(2 * 20 / 41 * math.log(30.5 / 10.5))


def test_an_empty_bin_counts_as_half_a_user() -> None:
    # Shares (0.5, 10.5) / 11 then and (5.5, 5.5) / 11 now.
    expected = 5 / 11 * math.log(5.5 / 0.5) + (-5 / 11) * math.log(5.5 / 10.5)
    assert psi([0, 10], [5, 5]) == pytest.approx(expected)


def test_the_same_night_has_not_moved() -> None:
    assert psi([3, 4, 0], [3, 4, 0]) == 0


def test_a_night_without_users_has_no_index() -> None:
    assert psi([0, 0], [3, 4]) is None
    assert by_chance([3, 4], [0, 0]) is None
    assert verdict(None) == "unknown"


def test_chance_grows_with_bins_and_shrinks_with_users() -> None:
    # Three bins that anybody falls into: 2 x (1/100 + 1/50).
    assert by_chance([50, 50, 0, 0], [20, 20, 10, 0]) == pytest.approx(2 * (1 / 100 + 1 / 50))


@pytest.mark.parametrize(
    ("index", "word"),
    [(0.0, "steady"), (0.0999, "steady"), (0.1, "watch"), (0.25, "watch"), (0.2501, "shifted")],
)
def test_the_customary_bounds(index: float, word: str) -> None:
    assert verdict(index) == word


@given(COUNTS)
def test_it_is_never_negative_and_knows_no_direction(counts: list[tuple[int, int]]) -> None:
    then, now = [a for a, _ in counts], [b for _, b in counts]
    index = psi(then, now)
    if index is not None:
        assert index >= -1e-12
        assert index == pytest.approx(psi(now, then))


@settings(deadline=None)  # DuckDB starts on the first
@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=6, unique=True),
    st.lists(st.floats(-1, 2), min_size=1, max_size=20),
)
def test_every_value_falls_into_one_bin(edges: list[float], values: list[float]) -> None:
    conditions = bin_conditions("p", sorted(edges))
    counted = ", ".join(f"count(*) FILTER (WHERE {condition})" for condition in conditions)
    rows = ", ".join(f"({value!r}::DOUBLE)" for value in [*values, *edges])
    (found,) = duckdb.execute(f"SELECT {counted} FROM (VALUES {rows}) t(p)").fetchall()
    assert sum(found) == len(values) + len(edges)


def test_a_constant_that_moves_either_way_leaves_its_bin() -> None:
    below, there, above = bin_conditions("p", [0.5])
    for value, bin_ in ((0.4, below), (0.5, there), (0.6, above)):
        found = duckdb.execute(f"SELECT {bin_} FROM (SELECT {value}::DOUBLE AS p)").fetchall()
        assert found == [(True,)]
