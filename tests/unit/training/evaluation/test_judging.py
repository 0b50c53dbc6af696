"""Judging: full ranking, everything asked for, nobody flattered."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from tests.unit.training.evaluation.baselines.lives import Life, window
from tests.unit.training.factory import embeddings, item_rows
from training.data.catalogue import Catalogue, build_catalogue
from training.data.users import Examples
from training.evaluation import judging
from training.evaluation.baselines.known import LISTS, Contestant, Known
from training.evaluation.judging import Judged, judge
from training.evaluation.slices import Slice, judge_slice, slices_of
from training.evaluation.staleness import staleness, weekly_labels

ITEMS = 6
# User 0 knows item 0, and turns to 0 and 3. User 1 knows 1, turns to 5. User 2 comes back for none.
LIVES: list[Life] = [[(0, 3), (0, -1), (3, -9)], [(1, 30), (1, 2), (5, -28)], [(2, 4)]]


@dataclass(frozen=True)
class Fixed:
    """The same scores for everybody."""

    values: list[float]
    lists: tuple[str, ...] = LISTS

    def scores(self, rows: np.ndarray) -> np.ndarray:
        return np.tile(np.array(self.values, dtype=np.float32), (len(rows), 1))


FALLING = Fixed([0.6, 0.5, 0.4, 0.3, 0.2, 0.1])


def catalogue(examples: Examples, first_days: dict[int, int] | None = None) -> Catalogue:
    """`first_days`: item -> days before the cut-off on which it was first known."""
    built = build_catalogue(embeddings(ITEMS), item_rows(ITEMS))
    days = built.first_day.copy()
    for item, ago in (first_days or {}).items():
        days[item] = examples.as_of[0] - ago
    return replace(built, first_day=days)


def judged(
    *rankers: Contestant, lives: list[Life] = LIVES, first_days: dict[int, int] | None = None
) -> tuple[Judged, Examples]:
    examples = window(lives, ITEMS)
    named = [(f"ranker {number}", ranker) for number, ranker in enumerate(rankers)]
    return judge(named, examples, catalogue(examples, first_days), 100), examples


def test_the_whole_catalogue_is_ranked_for_those_with_an_answer() -> None:
    found, _ = judged(FALLING)
    assert found.rows.tolist() == [0, 1]
    ranked = found.rankings["next_items"]["ranker 0"]
    assert ranked.places[:, :6].tolist() == [[0, 1, 2, 3, 4, 5]] * 2
    assert (ranked.places[:, 6:] == -1).all()
    assert ranked.reciprocal.tolist() == [1.0, 1 / 6]
    figures = found.figures("next_items", "ranker 0")
    assert figures["recall_10"].tolist() == [1.0, 1.0]
    # Answers at ranks 1 and 4 of two: (1 + 1/log2 5) / (1 + 1/log2 3).
    assert figures["ndcg_10"][0] == pytest.approx((1 + 1 / np.log2(5)) / (1 + 1 / np.log2(3)))


def test_own_items_leave_the_list_of_new_ones_and_what_it_is_asked() -> None:
    found, _ = judged(FALLING)
    places = found.rankings["next_new_items"]["ranker 0"].places
    assert places[:, :5].tolist() == [[1, 2, 3, 4, 5], [0, 2, 3, 4, 5]]
    assert found.answers["next_new_items"].number.tolist() == [1, 1]


def test_an_item_first_seen_after_the_cut_off_is_asked_for_and_never_ranked() -> None:
    found, _ = judged(FALLING, first_days={3: -9})
    assert 3 not in found.rankings["next_items"]["ranker 0"].places
    assert found.figures("next_items", "ranker 0")["recall_10"].tolist() == [0.5, 1.0]


def test_equal_scores_go_by_position() -> None:
    found, _ = judged(Fixed([0.5] * ITEMS))
    assert found.rankings["next_items"]["ranker 0"].places[0, :6].tolist() == [0, 1, 2, 3, 4, 5]


def test_batches_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _ = judged(FALLING)
    monkeypatch.setattr(judging, "CELLS", ITEMS)
    cut, _ = judged(FALLING)
    for name in LISTS:
        for metric, values in whole.figures(name, "ranker 0").items():
            assert np.array_equal(values, cut.figures(name, "ranker 0")[metric], equal_nan=True)


def test_coverage_is_of_the_whole_catalogue() -> None:
    found, _ = judged(FALLING, first_days={3: -9, 4: -9})
    assert found.coverage("next_items", "ranker 0") == 4 / 6
    assert found.coverage("next_new_items", "ranker 0") == 4 / 6


def test_users_fall_into_groups_by_days_and_items_by_age_and_demand() -> None:
    lives = [
        [(0, day) for day in range(10)] + [(1, -1)],
        [(0, 1), (1, 2), (1, -1)],
        [(0, 1), (2, 1), (3, -1), (1, -2)],
    ]
    found, examples = judged(FALLING, lives=lives, first_days={1: 6, 2: 7, 3: -1})
    parts = slices_of(found, examples, Known.of(examples, ITEMS))
    groups = {name: parts[name].users for name in ("users cold", "users light", "users heavy")}
    assert {name: np.flatnonzero(mask).tolist() for name, mask in groups.items()} == {
        "users cold": [2],
        "users light": [1],
        "users heavy": [0],
    }
    assert np.flatnonzero(parts["items new 7d"].items).tolist() == [1]
    assert np.flatnonzero(parts["items new 28d"].items).tolist() == [1, 2]
    # One of five known items, the most engaged, is the head.
    assert np.flatnonzero(parts["items tail"].items).tolist() == [1, 2, 4, 5]
    assert not any(name.startswith("platform") for name in parts)


def test_a_slice_of_items_asks_for_them_within_the_whole_ranking() -> None:
    found, examples = judged(FALLING, first_days={3: 2})
    parts = slices_of(found, examples, Known.of(examples, ITEMS))
    fresh = judge_slice(found, "next_items", parts["items new 7d"])
    assert fresh.users == 1
    assert fresh.figures["ranker 0"]["recall_10"].tolist() == [1.0]
    assert fresh.figures["ranker 0"]["ndcg_10"].tolist() == [1 / np.log2(5)]
    heavy = judge_slice(found, "next_items", parts["users heavy"])
    assert heavy.users == 0


def test_the_gain_of_a_slice_is_paired() -> None:
    found, _ = judged(FALLING, Fixed([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]))
    every = judge_slice(found, "next_items", Slice())
    gain = every.gain("ranker 1", "ranker 0", "ndcg_10")
    difference = every.figures["ranker 1"]["ndcg_10"] - every.figures["ranker 0"]["ndcg_10"]
    assert gain[0] == pytest.approx(difference.mean())
    assert gain[1] == pytest.approx(difference.min())
    assert gain[2] == pytest.approx(difference.max())


def test_staleness_asks_week_by_week() -> None:
    found, examples = judged(FALLING)
    chances = np.full((len(examples), len(examples.labels[0])), 0.5, np.float32)
    aged = staleness(found, examples, chances, {"next_items": ["ranker 0"]})
    weeks = [week[0] for week in aged.weeks["next_items/ranker 0/recall_10"]]
    # Day 1: item 0; day 9: item 3; day 28: item 5. Nobody turns to anything in the third week.
    assert weeks[:2] == [1.0, 1.0]
    assert np.isnan(weeks[2])
    assert weeks[3] == 1.0
    days = aged.days["next_items/ranker 0"]
    assert [day for day, value in enumerate(days, 1) if not np.isnan(value)] == [1, 9, 28]
    assert days[0] == 1.0
    assert days[8] == pytest.approx(1 / np.log2(5))


def test_labels_of_a_week_by_the_day_of_arrival() -> None:
    examples = window(LIVES, ITEMS)
    assert weekly_labels(examples, "view", 1, 7).tolist() == [1, 0, 0]
    assert weekly_labels(examples, "view", 8, 14).tolist() == [1, 0, 0]
    assert weekly_labels(examples, "view", 22, 28).tolist() == [0, 1, 0]
    assert weekly_labels(examples, "cart", 1, 28).tolist() == [0, 0, 0]
    assert weekly_labels(examples, None, 1, 7).tolist() == [0, 1, 1]
