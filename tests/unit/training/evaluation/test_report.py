"""The report: what it says, and that it is read back as it was written."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from training.evaluation.pages import html, lines, markdown
from training.evaluation.report import REPORT, Audit, Group, Report, Verdict, kept, of_list
from training.evaluation.report_record import metrics_of, rows_of

NAN = float("nan")
HEAD = {"rate": 0.2, "auc": 0.7, "pr_auc": 0.4, "log_loss": 0.5, "ece": 0.01}
FOUND = Report(
    "2024-06-01",
    10,
    8,
    {
        "next_items/published/ndcg_10": (0.3, 0.28, 0.32),
        "next_items/ease/ndcg_10": (0.25, 0.2, 0.3),
        "next_items/als/ndcg_10": (0.27, 0.2, 0.3),
        "next_items/published/coverage_10": (0.5, NAN, NAN),
        "next_items/ease/coverage_10": (0.4, NAN, NAN),
        "next_items/als/coverage_10": (0.3, NAN, NAN),
    },
    {f"churn_28d/{name}": (x, x - 0.1, x + 0.1) for name, x in HEAD.items()},
    "3",
    {"next_items/ndcg_10": (0.01, -0.01, 0.02)},
    "",
    {f"churn_28d/logistic/{name}": (x, x, x) for name, x in HEAD.items()},
    [Verdict("next_items", "users cold", "ndcg_10", 4, "als", (0.27, 0.2, 0.3), (0.3, 0.28, 0.32), (0.03, 0.01, 0.05))],
    weeks={"next_items/published/ndcg_10": [(0.3, 0.2, 0.4)] * 3 + [(NAN, NAN, NAN)]},
    days={"next_items/published": [0.3, NAN]},
)


def test_read_back_as_written(tmp_path: Path) -> None:
    path = tmp_path / REPORT
    path.parent.mkdir()
    path.write_text(json.dumps(asdict(FOUND)))
    run = SimpleNamespace(info=SimpleNamespace(artifact_uri=tmp_path.as_uri()))
    client = SimpleNamespace(get_run=lambda run_id: run)
    again = kept(client, "r")  # type: ignore[arg-type]
    assert again is not None
    assert json.dumps(asdict(again)) == json.dumps(asdict(FOUND))
    assert isinstance(again.verdicts[0], Verdict)
    path.unlink()
    assert kept(client, "r") is None  # type: ignore[arg-type]


def test_the_best_ranker_comes_first() -> None:
    assert list(of_list(FOUND, "next_items")) == ["published", "als", "ease"]


def test_who_wins_where_is_told() -> None:
    text = "\n".join(lines(FOUND))
    row = next(line for line in text.splitlines() if "users cold" in line)
    assert "als" in row and "+0.0300 [+0.0100, +0.0500]" in row and row.endswith("wins")
    level = replace(FOUND.verdicts[0], gain=(0.0, -0.1, 0.1))
    lost = replace(FOUND.verdicts[0], gain=(-0.2, -0.3, -0.1))
    text = "\n".join(lines(replace(FOUND, verdicts=[level, lost])))
    assert [row.split()[-1] for row in text.splitlines() if "users cold" in row] == ["level", "loses"]


def test_markdown_and_html_hold_the_same_cells() -> None:
    for page in (markdown(FOUND), html(FOUND)):
        for cell in ("users cold", "0.3000 [0.2800, 0.3200]", "0.5000", "logistic", "champion 3"):
            assert cell in page
    head, line, *_ = [row for row in markdown(FOUND).splitlines() if row.startswith("|")]
    assert head.count("|") == line.count("|")


def test_metrics_have_bounds_where_published_and_no_nan() -> None:
    found = metrics_of(FOUND)
    assert found["test_lists/next_items/ndcg_10"] == 0.3
    assert found["test_lists/next_items/ndcg_10_low"] == 0.28
    assert found["test_baselines/next_items/ease/ndcg_10"] == 0.25
    assert "test_baselines/next_items/ease/ndcg_10_low" not in found
    assert found["test_heads/churn_28d/auc_high"] == pytest.approx(0.8)
    assert found["test_baselines/churn_28d/logistic/auc"] == 0.7
    assert found["test_gains/over_best_baseline/next_items/users cold/ndcg_10"] == 0.03
    assert found["test_gains/over_champion/next_items/ndcg_10"] == 0.01
    assert found["test_staleness/next_items/published/ndcg_10_week_3"] == 0.3
    assert "test_staleness/next_items/published/ndcg_10_week_4" not in found
    assert all(value == value for value in found.values())


AUDITED = Audit(
    [Group("users", "country", "c/d", 9, {"ndcg_10": (0.3, 0.2, 0.4), "churn_28d/p50": (0.1, NAN, NAN)})],
    {"gap/country/ndcg_10": (0.1, -0.1, 0.3), "popularity/tail_exposure": (0.2, 0.1, 0.3)},
)


def test_the_audit_is_read_back_logged_and_told(tmp_path: Path) -> None:
    report = replace(FOUND, fairness=AUDITED)
    path = tmp_path / REPORT
    path.parent.mkdir()
    path.write_text(json.dumps(asdict(report)))
    run = SimpleNamespace(info=SimpleNamespace(artifact_uri=tmp_path.as_uri()))
    again = kept(SimpleNamespace(get_run=lambda run_id: run), "r")  # type: ignore[arg-type]
    assert again is not None and again.fairness is not None
    assert isinstance(again.fairness.groups[0], Group)
    assert json.dumps(asdict(again)) == json.dumps(asdict(report))
    metrics = metrics_of(report)
    assert metrics["test/ndcg_10_gap_country"] == 0.1
    assert metrics["test/tail_exposure"] == 0.2
    assert metrics["test_fairness/users/country/c.2Fd/ndcg_10_high"] == 0.4
    assert metrics["test_fairness/gap/country/ndcg_10_low"] == -0.1
    assert "test_fairness/users/country/c.2Fd/churn_28d/p50_low" not in metrics
    assert "c/d" in markdown(report) and "+0.1000 [-0.1000, +0.3000]" in html(report)
    table = rows_of(AUDITED)
    assert table["group"] == ["c/d", "c/d", "", ""]
    assert table["low"] == [0.2, None, -0.1, 0.1]
    assert {len(cells) for cells in rows_of(Audit()).values()} == {0}
