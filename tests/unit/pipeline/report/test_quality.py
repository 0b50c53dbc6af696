"""Model quality as MLflow keeps it: which versions, which baselines, what is known by a night."""

from pathlib import Path

import pytest

from pipeline.report import quality as q
from pipeline.report.night import night_of
from pipeline.report.pages import render_night
from pipeline.report.quality import Judged, quality
from pipeline.runtime.errors import ModelError
from pipeline.runtime.settings import Settings
from training.registry import runs, versions
from training.registry.versions import BASE

METRICS = {
    "test_lists/next_items/ndcg_10": 0.25,
    "test_lists/next_items/ndcg_10_low": 0.2,
    "test_lists/next_items/ndcg_10_high": 0.3,
    "test_baselines/next_items/ease/ndcg_10": 0.23,
    "test_gains/over_best_baseline/next_items/all/ndcg_10": 0.02,
    "test_heads/click_28d/auc": 0.7,
    "test_heads/click_7d/auc": 0.75,
    "test_gains/over_best_baseline/click_7d/all/auc": -0.05,
    "test_baselines/click_7d/lightgbm/auc": 0.8,
}
AUDIT = {
    f"test_fairness/{name}{bound}": value + moved
    for name, value in (
        ("users/country/at/ndcg_10", 0.2),
        ("users/country/c.2Fd/ndcg_10", 0.31),
        ("gap/country/ndcg_10", 0.11),
        ("items/age/older/ndcg_10", 0.4),
    )
    for bound, moved in (("", 0.0), ("_low", -0.03), ("_high", 0.03))
}
METRICS_OF_THE_VERSION_BEFORE = {
    "test/next_items/published/ndcg_10": 0.25,
    "test/next_items/published/ndcg_10/low": 0.2,
    "test/next_items/published/ndcg_10/high": 0.3,
    "test/next_items/ease/ndcg_10": 0.23,
    "gain over best baseline/next_items/all/ndcg_10": 0.02,
    "test/click_28d/auc": 0.7,
    "test/click_7d/auc": 0.75,
    "gain over best baseline/click_7d/all/auc": -0.05,
    "test/click_7d/lightgbm/auc": 0.8,
}


@pytest.fixture(scope="module", params=[METRICS, METRICS_OF_THE_VERSION_BEFORE], ids=["now", "before"])
def trained(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Settings:
    """Three versions: promoted, not promoted, and one of a later day; one of an hour, which is no
    training; a run without a version."""
    settings = Settings(home=tmp_path_factory.mktemp("trained"))
    client = runs.open_client(settings)
    for number, (ds, promoted) in enumerate(
        [("2024-03-01", "true"), ("2024-03-05", "false"), ("2024-03-09", "true")], 1
    ):
        run = runs.start_run(client, f"night-{ds}", ds)
        for name, value in request.param.items():
            client.log_metric(run, name, value + number / 100 if value == 0.25 else value)
        client.set_terminated(run)
        version = versions.register(client, run, ds)
        client.set_model_version_tag(versions.MODEL, version, "promotion.promoted", promoted)
    client.create_model_version(versions.MODEL, "x", run, tags={"ds": "2024-03-04", BASE: "1"})
    runs.start_run(client, "unfinished", "2024-03-01")
    return settings


def test_names_are_those_of_training() -> None:
    assert versions.MODEL == q.MODEL
    assert q.RUN_TAG == runs.RUN_TAG
    assert q.HOURLY == BASE


def test_what_was_known_by_a_night(trained: Settings) -> None:
    found = quality(trained, "2024-03-05")
    (curve,) = found.lists
    assert curve.metric == "ndcg_10"
    first, second = curve.points
    assert first == Judged("1", "2024-03-01", True, 0.26, 0.2, 0.3, pytest.approx(0.24))
    assert (second.version, second.promoted) == ("2", False)
    assert [run.run for run in found.trained] == ["night-2024-03-01", "night-2024-03-05"]
    assert all(run.ended >= run.started > 0 for run in found.trained)


def test_groups_of_users_are_those_of_the_newest_audited_version(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    client = runs.open_client(settings)
    for ds, metrics in (("2024-03-01", METRICS | AUDIT), ("2024-03-05", METRICS)):
        run = runs.start_run(client, f"night-{ds}", ds)
        for name, value in metrics.items():
            client.log_metric(run, name, value)
        versions.register(client, run, ds)
    (found,) = quality(settings, "2024-03-05").gaps
    assert (found.version, found.by, [it.group for it in found.groups]) == ("1", "country", ["c/d", "at"])
    assert found.gap == pytest.approx((0.11, 0.08, 0.14))
    text = render_night(night_of(settings, "2024-03-05"), settings)
    assert "Whom version 1 serves" in text
    assert '<td class="end number">0.310</td><td class="end number">0.280 to 0.340</td>' in text
    assert "+0.080 to +0.140" in text


def test_heads_by_horizon_and_without_a_baseline(trained: Settings) -> None:
    heads = {curve.name: curve.points[0] for curve in quality(trained, "2024-03-01").heads}
    assert list(heads) == ["click_7d", "click_28d"]
    assert heads["click_7d"].baseline == pytest.approx(0.8)
    assert heads["click_28d"].baseline is None and heads["click_28d"].low == 0.7


def test_before_the_first_training_there_is_nothing(trained: Settings, home: Settings) -> None:
    assert quality(trained, "2024-02-01").lists == []
    assert quality(home, "2024-03-05").trained == []
    assert not (home.mlflow / "mlflow.db").exists()  # looking makes no store


def test_a_server_that_does_not_answer_is_named(home: Settings, monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    away = home.model_copy(update={"mlflow_uri": "http://127.0.0.1:1"})
    with pytest.raises(ModelError, match=r"MLflow at http://127\.0\.0\.1:1: expected the versions"):
        quality(away, "2024-03-05")


def test_the_page_marks_who_was_promoted(trained: Settings) -> None:
    text = render_night(night_of(trained, "2024-03-05"), trained)
    assert text.count('class="judged promoted"') == 3  # a list and two heads of version 1
    assert text.count('class="judged"') == 3
    assert "version 1, trained for 2024-03-01, promoted: 0.260" in text
