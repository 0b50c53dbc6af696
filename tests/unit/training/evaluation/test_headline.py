"""The headline figures of an evaluation, and the description that they make."""

from dataclasses import replace

import pytest

from training.evaluation.headline import headline, note, verdict
from training.evaluation.report import Report, Verdict

NAN = float("nan")
NDCG = Verdict("next_items", "all", "ndcg_10", 8, "ease", (0.25, 0.2, 0.3), (0.3, 0.2, 0.4), (0.05, 0.01, 0.09))
AREA = Verdict("purchase_28d", "all", "auc", 9, "logistic", (0.8, NAN, NAN), (0.7, NAN, NAN), (-0.1, -0.2, -0.05))
OF_A_SLICE = replace(NDCG, slice="users cold", best="als", gain=(0.5, 0.4, 0.6))
FOUND = Report(
    "2024-06-01",
    1200,
    800,
    {
        "next_items/published/ndcg_10": (0.3, 0.2, 0.4),
        "next_items/published/recall_10": (0.5, 0.4, 0.6),
        "next_items/ease/ndcg_10": (0.25, 0.2, 0.3),
        "next_new_items/published/ndcg_10": (0.2, 0.1, 0.3),
    },
    {
        "purchase_28d/auc": (0.7, 0.6, 0.8),
        "purchase_28d/log_loss": (0.4, 0.3, 0.5),
        "purchase_28d/ece": (0.02, 0.01, 0.03),
        "cart_28d/auc": (NAN, NAN, NAN),
        "cart_28d/log_loss": (0.2, 0.1, 0.3),
        "cart_28d/ece": (NAN, NAN, NAN),
    },
    champion="3",
    gains={"next_items/ndcg_10": (0.01, -0.01, 0.02), "next_new_items/ndcg_10": (-0.02, -0.03, -0.01)},
    verdicts=[OF_A_SLICE, NDCG, AREA],
)


def test_headline_figures_have_short_names_and_an_order() -> None:
    assert headline(FOUND) == {
        "test/ndcg_10": 0.3,
        "test/ndcg_10_vs_best_baseline": 0.05,
        "test/ndcg_10_vs_champion": 0.01,
        "test/ndcg_10_new_items": 0.2,
        "test/ndcg_10_new_items_vs_champion": -0.02,
        "test/recall_10": 0.5,
        "test/auc_purchase_28d": 0.7,
        "test/auc_purchase_28d_vs_best_baseline": -0.1,
        "test/log_loss": pytest.approx(0.3),
        "test/ece": 0.02,  # of the propensities that have one
    }
    assert list(headline(FOUND))[:2] == ["test/ndcg_10", "test/ndcg_10_vs_best_baseline"]


def test_the_verdict_is_one_line() -> None:
    assert verdict(FOUND) == (
        "NDCG@10 0.3000; better than the best baseline, ease: +0.0500 (+0.0100 to +0.0900); "
        "level with champion 3: +0.0100 (-0.0100 to +0.0200)"
    )
    alone = replace(FOUND, gains={}, champion="2", champion_fails="its folder is gone", verdicts=[])
    assert verdict(alone) == "NDCG@10 0.3000; champion 2 could not run"
    assert verdict(replace(FOUND, rankings={})) == ""


def test_the_note_shows_what_each_figure_gains() -> None:
    rows = [line.split(" | ") for line in note(FOUND).splitlines() if line.startswith("| ")]
    assert [cell.strip("| ") for cell in rows[0]] == [
        "on the test users",
        "figure",
        "vs best baseline",
        "vs champion 3",
    ]
    first, area = rows[2], next(row for row in rows if "purchase" in row[0])
    assert first[2] == "**better** +0.0500 (+0.0100 to +0.0900), ease"
    assert area[2] == "**worse** -0.1000 (-0.2000 to -0.0500), logistic"
    assert "[" not in note(FOUND)  # brackets before parentheses would become links
    assert "1,200 users, 800 of them ranked for" in note(FOUND)


def test_without_a_champion_there_is_no_column_for_it() -> None:
    first = replace(FOUND, champion=None, gains={})
    assert "champion" not in note(first)
    assert not [name for name in headline(first) if name.endswith("_vs_champion")]
