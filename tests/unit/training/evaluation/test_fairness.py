"""The audit: figures against hand-computed ones, a planted bias, equal groups, small groups, limits."""

from dataclasses import replace

import numpy as np
import pytest

from training.data.answers import Answers
from training.data.users import HEADS
from training.evaluation import fairness
from training.evaluation.fairness import Served, audit, exposure, gap, gaps, gini, item_groups, pooled, popularity_bias
from training.evaluation.promotion import limits_of, may_be_champion
from training.evaluation.report import Audit, Report

NAN = float("nan")
ITEMS = 10


def served(places: list[list[int]], asked: list[list[int]], popularity: list[float] | None = None) -> Served:
    """Users who are all ranked for; half of them click, and all have a chance of .5."""
    users = len(places)
    user = np.repeat(np.arange(users), [len(it) for it in asked])
    item = np.array([it for one in asked for it in one], dtype=np.int64)
    lists = np.full((users, 20), -1)
    for row, shown in enumerate(places):
        lists[row, : len(shown)] = shown
    labels = np.tile((np.arange(users) % 2)[:, None], (1, len(HEADS))).astype(np.float32)
    return Served(
        np.arange(users),
        lists,
        Answers(user, item, np.ones(len(user), dtype=int), users, ITEMS),
        labels,
        np.full((users, len(HEADS)), 0.5),
        np.ones(ITEMS, dtype=bool),
        np.array(popularity or range(ITEMS, 0, -1), dtype=float),
    )


def names(*sizes: tuple[str, int]) -> np.ndarray:
    return np.array([name for name, size in sizes for _ in range(size)], dtype=object)


def test_one_platform_served_badly_is_found() -> None:
    # Users of `a` and `b` turn to item 3; `a` has it in the first place, every second user of `b` in none.
    found = served([[3, 4]] * 40 + [[3, 4], [5, 6]] * 20, [[3]] * 80)
    result = audit(found, {"platform": names(("a", 40), ("b", 40))}, {}, 5)
    figures = {group.name: group.figures["ndcg_10"] for group in result.groups}
    assert figures["a"] == (1.0, 1.0, 1.0)
    assert figures["b"][0] == 0.5
    middle, low, high = result.measures["gap/platform/ndcg_10"]
    # The standard error of a mean of 20 ones and 20 zeros is .5 / sqrt(40); two groups are one pair.
    assert middle == 0.5
    assert high - middle == pytest.approx(1.96 * 0.5 / np.sqrt(40), rel=0.1)
    assert low > 0
    assert result.measures["ratio/platform/ndcg_10"][0] == 0.5
    assert result.measures["ratio/platform/ndcg_10"][2] < 1


def test_heads_by_group_by_hand() -> None:
    found = served([[0]] * 8, [[0]] * 8)
    chances = np.tile(np.array([0.2, 0.8] * 2 + [0.8, 0.2] * 2)[:, None], (1, len(HEADS)))
    result = audit(replace(found, chances=chances), {"platform": names(("right", 4), ("wrong", 4))}, {}, 4)
    right, wrong = (group.figures for group in result.groups)
    assert (right["click_7d/auc"][0], wrong["click_7d/auc"][0]) == (1.0, 0.0)
    # Chances of .2 and .8 where the rates are 0 and 1, and the other way round.
    assert right["click_7d/ece"][0] == pytest.approx(0.2)
    assert wrong["click_7d/ece"][0] == pytest.approx(0.8)
    assert right["click_7d/bias"][0] == pytest.approx(0)
    assert [right[f"click_7d/{p}"][0] for p in ("p10", "p50", "p90")] == pytest.approx([0.2, 0.5, 0.8])


def test_chances_that_are_too_high_have_a_bias_above_zero() -> None:
    found = served([[0]] * 10, [[0]] * 10)
    high = replace(found, chances=np.full(found.chances.shape, 0.7))
    (group,) = audit(high, {"platform": names(("a", 10))}, {}, 5).groups
    assert group.figures["purchase_28d/bias"][0] == pytest.approx(0.2)


def test_equal_groups_have_a_gap_with_zero_in_it() -> None:
    # Eight groups drawn alike, 100 times: the largest of 28 differences may exclude zero 5 times of 100.
    luck, excluded = np.random.default_rng(4), 0
    for _ in range(100):
        figures = []
        for mean in luck.normal(0.3, 0.01, 8):
            figures.append((mean, mean - 1.96 * 0.01, mean + 1.96 * 0.01))
        excluded += gap(figures)[1] > 0
    assert excluded <= 10


def test_the_gap_of_three_groups_allows_for_three_pairs() -> None:
    figures = [(m, m - 1.959964 * 0.1, m + 1.959964 * 0.1) for m in (0.1, 0.4, 0.3)]
    middle, low, high = gap(figures)
    # z of .05 / 3, two-sided, is 2.394; the error of a difference .1 * sqrt(2).
    assert middle == pytest.approx(0.3)
    assert (high - low) / 2 == pytest.approx(2.394 * 0.1 * np.sqrt(2), abs=1e-4)


def test_exposure_and_demand_by_hand() -> None:
    # Shown: items 0, 1, 0, 2. Asked for: 0, 2, 2, 3.
    found = served([[0, 1], [0, 2]], [[0, 2], [2, 3]])
    chosen = np.isin(np.arange(ITEMS), [0, 1])
    figures = exposure(found, chosen)
    assert figures["exposure"][0] == 0.75
    assert figures["demand"][0] == 0.25
    assert figures["exposure_ratio"][0] == 3.0


def test_an_item_that_nobody_could_know_is_no_demand() -> None:
    found = served([[0, 1], [0, 2]], [[0, 2], [2, 3]])
    later = replace(found, known=np.arange(ITEMS) != 3)
    assert exposure(later, np.arange(ITEMS) == 2)["demand"][0] == pytest.approx(2 / 3)


def test_the_tail_is_the_least_engaged_four_fifths() -> None:
    # Of ten items the first two are the head. Shown: 0, 1, 0, 9; asked for: 0, 9.
    found = served([[0, 1], [0, 9]], [[0], [9]])
    measures = popularity_bias(found)
    assert measures["popularity/tail_exposure"][0] == 0.25
    assert measures["popularity/tail_demand"][0] == 0.5
    assert measures["popularity/tail_exposure_ratio"][0] == 0.5
    assert np.isnan(measures["popularity/gini_exposure"][1])
    # Exposure 2, 1 and 1 of ten items: 2 * (8 + 9 + 20) / 40 - 11 / 10.
    assert measures["popularity/gini_exposure"][0] == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("counts", "expected"), [([3, 3, 3], 0.0), ([0, 0, 0, 4], 0.75), ([1, 3], 0.25), ([0, 0], NAN)]
)
def test_gini(counts: list[int], expected: float) -> None:
    assert gini(np.array(counts)) == pytest.approx(expected, nan_ok=True)


def test_items_by_group_by_hand() -> None:
    found = served([[0, 5]] * 6, [[0, 5]] * 6)
    brands = np.array(["x"] * 5 + ["y"] * 5, dtype=object)
    x, y = item_groups(found, "brand", brands, 5)
    assert (x.name, x.users, x.figures["exposure"][0], x.figures["exposure_ratio"][0]) == ("x", 6, 0.5, 1.0)
    assert x.figures["ndcg_10"][0] == 1.0
    assert y.figures["ndcg_10"][0] == pytest.approx(1 / np.log2(3))


def test_small_groups_are_pooled_and_never_named() -> None:
    found = served([[0]] * 33, [[0]] * 33)
    result = audit(found, {"country": names(("at", 20), ("ch", 3), ("de", 7), ("li", 3))}, {}, 5)
    assert {group.name: group.users for group in result.groups} == {"at": 20, "de": 7, "other": 6}


def test_one_small_group_takes_another_along() -> None:
    # Three of `ch` follow from the whole, unless another group is pooled too.
    found = served([[0]] * 30, [[0]] * 30)
    result = audit(found, {"country": names(("at", 20), ("ch", 3), ("de", 7))}, {}, 5)
    assert {group.name: group.users for group in result.groups} == {"at": 20, "other": 10}


def test_groups_with_few_ranked_users_are_pooled_too() -> None:
    # All 30 users have chances, three of those of `b` are ranked for.
    found = served([[0]] * 30, [[0]] * 30)
    few = np.arange(23)
    answers = Answers(few, np.zeros(23, dtype=int), np.ones(23, dtype=int), 23, ITEMS)
    part = replace(found, rows=few, places=found.places[few], answers=answers)
    result = audit(part, {"country": names(("a", 10), ("c", 10), ("b", 10))}, {}, 5)
    assert "b" not in {group.name for group in result.groups}


def test_too_few_users_give_nothing_at_all() -> None:
    result = audit(served([[0]] * 4, [[0]] * 4), {"platform": names(("a", 4))}, {"age": names(("old", 10))}, 5)
    assert result == Audit([], {})


def test_many_groups_and_long_names_are_pooled() -> None:
    sizes = {f"g{n:02d}": 100 - n for n in range(fairness.MOST_GROUPS + 2)} | {"x" * 61: 500}
    labels = np.array(list(sizes), dtype=object)
    found = pooled(labels, [sizes], 5).tolist()
    assert found.count("other") == 4  # the long name is among the largest, and three more
    assert found[0] == "g00"


def test_the_pool_is_no_group_of_a_gap() -> None:
    found = served([[3]] * 40 + [[5]] * 6, [[3]] * 46)
    result = audit(found, {"country": names(("at", 20), ("de", 20), ("ch", 3), ("li", 3))}, {}, 5)
    assert result.measures["gap/country/ndcg_10"] == (0.0, 0.0, 0.0)
    assert not gaps([group for group in result.groups if group.name in ("at", "other")])


MEASURES = {
    "gap/platform/ndcg_10": (0.1, 0.06, 0.14),
    "ratio/platform/ndcg_10": (0.7, 0.6, 0.8),
    "popularity/gini_exposure": (0.9, NAN, NAN),
}


@pytest.mark.parametrize(
    ("limits", "promoted", "reason"),
    [
        ("", True, "there was no champion"),
        ("gap/platform/ndcg_10 <= 0.08", True, "there was no champion"),  # .1, but .06 is possible
        (
            "gap/platform/ndcg_10 <= 0.05",
            False,
            "fairness limit gap/platform/ndcg_10 <= 0.05: broken, 0.1000 [0.0600, 0.1400]",
        ),
        ("ratio/platform/ndcg_10>=.75", True, "there was no champion"),
        (
            "gap/platform/ndcg_10<=0.2,ratio/platform/ndcg_10>=0.9",
            False,
            "fairness limit ratio/platform/ndcg_10 >= 0.9: broken, 0.7000 [0.6000, 0.8000]",
        ),
        ("popularity/gini_exposure <= 0.8", False, "fairness limit popularity/gini_exposure <= 0.8: broken, 0.9000"),
        ("gap/platform/ndgc_10 <= 1", False, "fairness limit gap/platform/ndgc_10 <= 1: expected a measure"),
    ],
    ids=["none", "possible", "gap", "ratio-possible", "ratio", "no-interval", "unknown"],
)
def test_a_broken_limit_gates_promotion(limits: str, promoted: bool, reason: str) -> None:
    report = Report("2024-06-01", 10, 8, {}, {}, fairness=Audit([], MEASURES))
    decision = may_be_champion(report, "2024-06-01", None, limits_of(limits))
    assert decision.promoted is promoted
    assert decision.reasons[0].startswith(reason)


def test_a_limit_turns_down_a_better_challenger_and_is_told_when_kept() -> None:
    gains = {"next_items/ndcg_10": (0.05, 0.02, 0.08)}
    report = Report("2024-06-01", 10, 8, {}, {}, "3", gains, fairness=Audit([], MEASURES))
    broken = may_be_champion(report, "2024-06-01", "2024-05-01", limits_of("gap/platform/ndcg_10 <= 0.01"))
    assert not broken.promoted
    kept = may_be_champion(report, "2024-06-01", "2024-05-01", limits_of("gap/platform/ndcg_10 <= 0.2"))
    assert kept.promoted
    assert kept.reasons[-1] == "fairness limit gap/platform/ndcg_10 <= 0.2: kept, 0.1000 [0.0600, 0.1400]"
