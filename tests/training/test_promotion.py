"""When a challenger becomes champion."""

import pytest

from training.promotion import decide
from training.report import Report


def report(champion: str | None = "3", fails: str = "", **gains: tuple) -> Report:
    return Report("2024-06-01", 10, 8, {}, {}, champion, gains, fails)


NOISE, LOSS, GAIN = (-0.01, -0.03, 0.01), (-0.05, -0.08, -0.02), (0.05, 0.02, 0.08)


@pytest.mark.parametrize(
    ("found", "promoted", "reason"),
    [
        (report(None), True, "there was no champion"),
        (report(ndcg=GAIN, loss=GAIN), True, "ndcg: better"),
        (report(ndcg=NOISE, loss=NOISE), True, "ndcg: not worse"),
        (report(ndcg=LOSS, loss=GAIN), False, "ndcg: worse"),
        (report(ndcg=GAIN, loss=LOSS), False, "loss: worse"),
        (report(fails="another encoder"), True, "champion 3 cannot run: another encoder"),
    ],
)
def test_not_worse_is_enough(found: Report, promoted: bool, reason: str) -> None:
    decision = decide(found, "2024-06-01", "2024-05-01" if found.champion else None)
    assert decision.promoted is promoted
    assert any(text.startswith(reason) for text in decision.reasons)


def test_a_backfilled_day_does_not_replace_a_newer_champion() -> None:
    decision = decide(report(ndcg=GAIN, loss=GAIN), "2024-04-01", "2024-05-01")
    assert not decision.promoted
    assert decision.reasons == ["trained for 2024-04-01, earlier than champion 3 (2024-05-01)"]
