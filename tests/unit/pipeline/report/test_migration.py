"""Migrations folded so that no small group can be told apart, and drawn where they belong."""

import pytest

from pipeline.report import migration as m
from pipeline.report.maps import heat_map, streams
from pipeline.report.migration import Flow, fold
from pipeline.report.words import OTHER

WEEK = ["2024-03-04"]


def test_a_move_of_few_people_is_hidden_and_counted() -> None:
    folded = fold([Flow("a", "a", 90), Flow("a", "b", 5), Flow("b", "a", 4)], {}, [], WEEK)
    assert folded.flows == [Flow("a", "b", 5)]
    assert folded.hidden == 4 and folded.moved == 9
    assert folded.stayed == {"a": 90}
    assert folded.totals == {"a": 95, "b": 4}


def test_a_single_hidden_move_takes_the_least_of_its_row_along() -> None:
    """The rates of a row sum to 1, so beside all others one of three moves could be told."""
    moves = [Flow("a", "a", 90), Flow("a", "b", 40), Flow("a", "c", 1), Flow("b", "a", 6)]
    folded = fold(moves, {}, [], WEEK)
    assert folded.flows == [Flow("b", "a", 6)] and folded.hidden == 41
    assert folded.stayed == {"a": 90}


def test_moves_are_not_people() -> None:
    moves = [Flow("a", "b", 40), Flow("b", "a", 9)]
    folded = fold(moves, {("a", "b"): 4, ("b", "a"): 5}, [], WEEK * 12)
    assert folded.flows == [Flow("b", "a", 9)] and folded.hidden == 40


def test_without_people_the_fewest_possible_are_taken() -> None:
    # In four weeks one of them can make a move twice and stay four times.
    flows = [Flow("a", "b", 9), Flow("b", "a", 10), Flow("a", "a", 19), Flow("b", "b", 20)]
    folded = fold(flows, {}, [], WEEK * 4)
    assert folded.flows == [Flow("b", "a", 10)] and folded.hidden == 9
    assert folded.stayed == {"b": 20}


def test_small_topics_become_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(m, "TOPICS_DRAWN", 2)
    to_others = [Flow("a", "x", 6), Flow("a", "y", 7), Flow("x", "y", 9)]
    folded = fold([Flow("a", "b", 20), Flow("b", "b", 80), *to_others], {}, [], WEEK)
    assert folded.topics == ["a", "b", OTHER]
    assert folded.flows == [Flow("a", "b", 20), Flow("a", OTHER, 13)]
    assert OTHER not in folded.stayed  # between two others nobody is known to have stayed


def test_nothing_gives_no_pictures() -> None:
    folded = fold([], {}, [], [])
    assert heat_map(folded) is None and streams(folded) is None


def test_the_heat_map_shows_rates_of_the_row() -> None:
    moves = [Flow("a", "b", 40), Flow("b", "a", 20)]
    folded = fold([Flow("a", "a", 60), *moves, Flow("b", "b", 60)], {}, [], WEEK)
    heat = heat_map(folded)
    assert heat is not None and heat.topics == ["a", "b"] and heat.highest == 0.4
    cells = {(cell.row, cell.column): (cell.kind, cell.share, cell.level) for cell in heat.cells}
    assert cells == {
        (0, 0): ("stayed", 0.6, 1.0),
        (0, 1): ("moved", 0.4, 1.0),
        (1, 0): ("moved", 0.25, 0.625),
        (1, 1): ("stayed", 0.75, 1.0),
    }


def test_streams_fill_both_sides() -> None:
    folded = fold([Flow("a", "b", 30), Flow("a", "c", 10), Flow("b", "c", 20)], {}, [], WEEK)
    drawn = streams(folded)
    assert drawn is not None
    assert [(node.topic, node.users) for node in drawn.left] == [("b", 20), ("a", 40)]
    assert [(node.topic, node.users) for node in drawn.right] == [("b", 30), ("c", 30)]
    for side in (drawn.left, drawn.right):  # one gap of 7 between two nodes
        assert sum(node.height for node in side) == pytest.approx(drawn.height - 7, abs=0.1)
    assert len(drawn.ribbons) == 3


def test_many_topics_together_are_not_drawn_beside_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(m, "TOPICS_DRAWN", 2)
    moves = [Flow("a", "b", 20), Flow("b", "a", 10), Flow("a", "x", 90), Flow("b", "b", 70)]
    folded = fold(moves, {}, [], WEEK)
    assert folded.topics == ["a", "x", OTHER]  # b moved least
    drawn, heat = streams(folded), heat_map(folded)
    assert drawn is not None and [it.flow for it in drawn.ribbons] == [Flow("a", "x", 90)]
    assert heat is not None and heat.highest == 90 / 110
    assert {(it.row, it.column): it.kind for it in heat.cells if it.users} == {
        (0, 1): "moved",
        (0, 2): "others",
        (2, 0): "others",
    }
    alone = streams(fold([Flow("a", "y", 9), Flow("a", "z", 8), Flow("y", "q", 30)], {}, [], WEEK))
    assert alone is not None and alone.drawn == 1
