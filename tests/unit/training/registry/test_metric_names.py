"""Headline figures sort first, and runs of the version before are read by the names of today."""

import re
from urllib.parse import unquote

import pytest

from training.registry.metric_names import COLUMNS, HEADLINE, of_list, of_member, of_slice, present_names, quoted
from training.registry.origins import differences

RENAMED = {
    "test/next_items/published/ndcg_10": "test_lists/next_items/ndcg_10",
    "test/next_items/published/ndcg_10/low": "test_lists/next_items/ndcg_10_low",
    "test/next_items/ease/ndcg_10": "test_baselines/next_items/ease/ndcg_10",
    "test/next_items/transformer/coverage_10": "test_baselines/next_items/transformer/coverage_10",
    "test/click_7d/auc": "test_heads/click_7d/auc",
    "test/click_7d/auc/high": "test_heads/click_7d/auc_high",
    "test/click_7d/lightgbm/auc": "test_baselines/click_7d/lightgbm/auc",
    "best_epoch": "train/best_epoch",
    "best_valid_loss": "valid/best_loss",
    "member_2/best_valid_loss": "valid/member_2/best_loss",
    "member_2/train/loss": "train/member_2/loss",
    "job/seconds": "train/seconds",
    "valid/items": "valid/items",
}


@pytest.mark.parametrize(("before", "now"), RENAMED.items())
def test_names_of_the_version_before(before: str, now: str) -> None:
    assert present_names({before: 0.5}) == {now: 0.5}
    assert present_names({now: 0.5}) == {now: 0.5}


def test_headline_figures_sort_before_all_others() -> None:
    others = [*RENAMED.values(), of_slice("next_items/users cold/published/ndcg_10")]
    assert max(f"{HEADLINE}{name}" for name in COLUMNS) < min(others)


def test_names_of_parts() -> None:
    assert of_list("next_items/published/mrr") == "test_lists/next_items/mrr"
    assert of_slice("next_items/users cold/published/ndcg_10") == "test_slices/next_items/users cold/ndcg_10"
    assert [of_member(number, "valid/items") for number in (0, 2)] == ["valid/items", "valid/member_2/items"]


def test_an_old_run_is_held_against_a_new_one() -> None:
    old = {"test/click_7d/auc": 0.7, "test/next_items/ease/mrr": 0.2, "best_valid_loss": 4.0}
    new = {"test_heads/click_7d/auc": 0.7, "test_baselines/next_items/ease/mrr": 0.3, "valid/best_loss": 4.0}
    (found,) = differences(present_names(old), new, 0.01)
    assert str(found) == "test_baselines/next_items/ease/mrr expected 0.2, found 0.3"


def test_a_gain_over_another_champion_is_no_difference() -> None:
    assert differences({"test/ndcg_10_vs_champion": 0.1}, {}, 0.01) == []
    assert len(differences({"test/ndcg_10_vs_best_baseline": 0.1}, {}, 0.01)) == 1


def test_names_of_groups_are_quoted_so_that_two_never_become_one() -> None:
    names = ["at", "a/t", "a.2Ft", "a%2Ft", "a_2Ft", "ä ö", "A&B"]
    found = [quoted(name) for name in names]
    assert found[:3] == ["at", "a.2Ft", "a.2E2Ft"]
    assert len(set(found)) == len(names)
    assert all(re.fullmatch(r"[\w. -]+", name) for name in found)
    assert [unquote(name.replace(".", "%")) for name in found] == names
