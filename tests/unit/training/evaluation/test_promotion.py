"""When a challenger becomes champion."""

import pytest

from training.evaluation.promotion import may_be_champion
from training.evaluation.report import Interval, Report

NOISE, LOSS, GAIN = (-0.01, -0.03, 0.01), (-0.05, -0.08, -0.02), (0.05, 0.02, 0.08)
SMALL, NOT_SMALL = (-0.0004, -0.0009, -0.0001), (-0.0009, -0.0011, -0.0007)
NOTHING = (float("nan"),) * 3
LIST, CHANCE, ECE = "next_new_items/ndcg_10", "purchase_28d/log_loss", "purchase_28d/ece"


def report(
    champion: str | None = "3", fails: str = "", ece: float = 0.01, loss: float = 0.4, **gains: Interval
) -> Report:
    """Gains by list=, chance= and ece_gain=; the challenger's NDCG@10 is .3, its log-loss `loss`."""
    named = {"list": LIST, "chance": CHANCE, "ece_gain": ECE}
    chances = {ECE: (ece, ece, ece), CHANCE: (loss, loss, loss)}
    found = {named[name]: gain for name, gain in gains.items()}
    lists = {"next_new_items/published/ndcg_10": (0.3, 0.3, 0.3)}
    return Report("2024-06-01", 10, 8, lists, chances, champion, found, fails)


@pytest.mark.parametrize(
    ("found", "promoted", "reason"),
    [
        (report(None), True, "there was no champion"),
        (report(list=GAIN, chance=GAIN), True, f"{LIST}: better"),
        (report(list=NOISE, chance=NOISE), True, f"{LIST}: not worse"),
        (report(list=LOSS, chance=GAIN), False, f"{LIST}: worse"),
        (report(list=GAIN, chance=LOSS), False, f"{CHANCE}: worse"),
        (report(list=NOISE, chance=NOTHING), True, f"{CHANCE}: not comparable"),
        (report(list=GAIN, ece_gain=LOSS, ece=0.02), True, f"{ECE}: within 0.03"),
        (report(list=GAIN, ece_gain=LOSS, ece=0.05), False, f"{ECE}: worse"),
        (report(list=SMALL, chance=SMALL), True, f"{LIST}: within the margin of 0.001"),
        (report(list=NOT_SMALL, chance=GAIN), False, f"{LIST}: worse"),
        # A champion of log-loss .001 for a rare act: the challenger has nearly lost its signal.
        (report(list=GAIN, chance=(-0.00053, -0.00064, -0.00041), loss=0.00153), False, f"{CHANCE}: worse"),
        (report(list=GAIN, ece_gain=(-0.004, -0.005, -0.003), ece=0.2), True, f"{ECE}: within the margin of 0.005"),
        (report(fails="another encoder"), True, "champion 3 cannot run: another encoder"),
    ],
)
def test_not_worse_is_enough(found: Report, promoted: bool, reason: str) -> None:
    decision = may_be_champion(found, "2024-06-01", "2024-05-01" if found.champion else None)
    assert decision.promoted is promoted
    assert any(text.startswith(reason) for text in decision.reasons)


def test_every_gate_is_told_with_its_interval() -> None:
    decision = may_be_champion(report(list=GAIN, chance=LOSS), "2024-06-01", "2024-05-01")
    assert decision.reasons == [
        f"{LIST}: better, gain +0.0500 [+0.0200, +0.0800]",
        f"{CHANCE}: worse, gain -0.0500 [-0.0800, -0.0200]",
    ]


def test_a_backfilled_day_does_not_replace_a_newer_champion() -> None:
    decision = may_be_champion(report(list=GAIN, chance=GAIN), "2024-04-01", "2024-05-01")
    assert not decision.promoted
    assert decision.reasons == ["trained for 2024-04-01, earlier than champion 3 (2024-05-01)"]
