"""The figures of a night against counts made by hand; every part is empty without its table."""

import time

import pytest

from pipeline.report.findings import findings
from pipeline.report.intake import Funnel, Reason
from pipeline.report.migration import Flow, Week
from pipeline.report.night import Night, night_of
from pipeline.report.summary import summarise
from pipeline.report.tiles import tiles
from pipeline.runtime.days import shift
from pipeline.runtime.settings import Settings
from pipeline.storage import log_length, staging
from pipeline.storage.audit.acceptances import accept
from tests.unit.pipeline.report.conftest import BEFORE, HOSTILE, NIGHT
from tests.unit.pipeline.report.published import publish_rows, user


@pytest.fixture(scope="module")
def night(nights: Settings) -> Night:
    return night_of(nights, NIGHT)


def test_what_landed(night: Night) -> None:
    assert night.intake.platforms == [Funnel("shop", 24, 12, 1, 11)]
    assert night.intake.platforms[0].adds_up
    assert night.intake.reasons == [Reason(HOSTILE, 11, 9)]
    assert [it.name for it in night.intake.nights] == [BEFORE, NIGHT]
    assert night.intake.sessions == {BEFORE: 10, NIGHT: 12}


def test_drift_and_migration(night: Night) -> None:
    stages = {stage.name: (stage.users, stage.before) for stage in night.drift.stages}
    # Of the ten of the night before, four were stable: the six others would tell that.
    assert stages["shifted"] == (6, None) and stages["stable"] == (6, None)
    assert stages["fading"] == (0, 0)
    assert not [stage.name for stage in night.drift.stages if stage.hidden]
    assert night.drift.pairs == [Flow("candles", HOSTILE, 6)]
    assert night.drift.moving_by_night == {BEFORE: 6, NIGHT: 6}
    assert night.migration.weeks == [Week("2024-02-26", 14, 8)]
    assert night.migration.flows == [Flow("candles", HOSTILE, 5)] and night.migration.hidden == 3


def test_topics_by_name_and_their_turns(night: Night) -> None:
    # A first week compares with long-term interests, all of which are t0001.
    assert night.trends.since is None
    (rising,) = night.trends.rising
    assert (rising.topic, rising.now, rising.then) == (HOSTILE, 0.5, 0.0)
    (falling,) = night.trends.falling
    assert (falling.topic, falling.now, falling.then) == ("candles", 0.5, 1.0)
    assert [(turn.what, turn.topic, turn.ds) for turn in night.turns] == [("born", HOSTILE, NIGHT)]


def test_trends_against_a_week_before(home: Settings) -> None:
    for ds, share in (("2024-02-27", 0.25), (NIGHT, 0.5)):
        publish_rows(
            home,
            "user_interests",
            ds,
            [
                {
                    "user_id": user(n),
                    "interests_short": [
                        {"topic_id": "t0002", "share": share},
                        {"topic_id": "t0001", "share": 1 - share},
                    ],
                }
                for n in range(8)
            ],
        )
    trends = night_of(home, NIGHT).trends
    assert trends.since == "2024-02-27"
    assert [(it.topic, it.change) for it in trends.rising] == [("t0002", 0.25)]
    assert [(it.topic, it.change) for it in trends.falling] == [("t0001", -0.25)]


def test_scores(night: Night) -> None:
    spread = next(it for it in night.spreads if it.column == "p_click_7d")
    assert spread.mean == pytest.approx(0.95) and spread.mean_before == pytest.approx(0.45)
    assert spread.verdict == "shifted" and spread.top == 1.0
    assert spread.now[22] == 1.0 and sum(spread.then) == pytest.approx(1.0)
    alike = next(it for it in night.spreads if it.column == "p_cart_7d")
    assert alike.psi == pytest.approx(0, abs=0.01) and alike.verdict == "steady"
    assert [it.column for it in night.spreads][:2] == ["p_click_7d", "p_click_28d"]


def test_who_is_there(night: Night) -> None:
    coverage = night.audience.coverage
    assert (coverage.scored, coverage.known, coverage.cold) == (12, 12, 5)
    assert (coverage.named, coverage.items, coverage.catalogue) == (50, 100, 0.5)
    life = {group.name: (group.users, group.before) for group in night.audience.life}
    assert life["active"] == (9, None) and life["lapsed"] == (3, None) and life["new"] == (0, 0)
    assert [it.name for it in night.audience.life if it.hidden] == ["active", "lapsed"]
    assert [(it.name, it.users) for it in night.audience.segments] == [
        ("movers", 60),
        ("few", None),
    ]
    assert [(it.name, it.users) for it in night.audience.anomalies] == [
        ("too_fast", 5),
        ("rare", 1),
    ]


def test_the_steps_follow_each_other(night: Night) -> None:
    bars = {bar.step: bar for bar in night.timeline.bars}
    assert {"sessionize", "catalogue", "accumulate", "score"} <= set(bars)
    assert "clean" not in bars  # of its three tables only one is published here
    assert all(bar.seconds >= 0 and bar.start >= 0 for bar in bars.values())
    assert bars["sessionize"].start < bars["score"].start


def test_serving_has_a_bar_of_its_own_run(home: Settings) -> None:
    publish_rows(home, "user_features", NIGHT, [{}], run="n1")
    assert [bar.step for bar in night_of(home, NIGHT).timeline.bars] == ["score"]
    began = time.time()
    for run in ("n0", "n1"):
        staging.keep_times(home, "serve", run, began)
    kept = staging.times_of(home, "serve", "n1")
    staging.keep_times(home, "serve", "n1", began + 100)  # another try found it loaded
    assert staging.times_of(home, "serve", "n1") == kept
    score, serve = night_of(home, NIGHT).timeline.bars
    assert (serve.step, serve.run) == ("serve", "n1")
    assert serve.start >= score.end and 0 <= serve.seconds < 60


def test_what_stands_out_begins_with_the_worst(night: Night) -> None:
    told = findings(night)
    assert told[0].state == "watch" and told[-1].state == "fine"
    texts = " ".join(it.text for it in told)
    assert "quarantine" not in texts  # 45.8 % are as usual: the night before had 45.0 %
    assert "p_click_7d" in texts and "Each of the 24 landed rows" in texts
    assert "All 12 known users" in texts


def test_a_user_without_a_row_is_wrong(home: Settings) -> None:
    publish_rows(home, "user_history", NIGHT, [{"user_id": user(n)} for n in range(2)])
    publish_rows(home, "user_features", NIGHT, [{}])
    assert findings(night_of(home, NIGHT))[0].state == "wrong"


def test_tiles(night: Night) -> None:
    found = {tile.label: (tile.value, tile.change, tile.direction) for tile in tiles(night)}
    assert found["Rows landed"] == ("24", "+20 %", "up")
    assert found["In quarantine"] == ("45.8 %", "+0.8 pts", "up")
    assert found["On the move"] == ("6", "unchanged", "same")
    assert found["Cold starts"] == ("41.7 %", "-8.3 pts", "down")


def test_an_empty_home_has_a_night_without_anything(home: Settings) -> None:
    night = night_of(home, NIGHT)
    assert night.funnel is None and night.spreads == [] and night.drift.stages == []
    assert night.migration.topics == [] and night.quality.lists == []
    assert night.timeline.bars == [] and night.audience.coverage.users is None
    assert {it.state for it in findings(night)} == {"watch"}
    assert {tile.value for tile in tiles(night)} == {"–"}


def test_later_nights_change_nothing(nights: Settings) -> None:
    assert night_of(nights, BEFORE).audience.coverage.scored == 10
    assert night_of(nights, BEFORE).intake.nights[-1].name == BEFORE


def landed(platform: str, rows: int) -> dict[str, object]:
    return {"platform": platform, "rows_landed": rows, "events": rows, "duplicates": 0, "quarantined": 0}


def test_what_is_unusual_about_what_landed(home: Settings) -> None:
    for n in range(1, 15):
        publish_rows(
            home, "accounting", shift(NIGHT, -n), [landed("shop", 100), landed("stall", 100), landed("kiosk", 9)]
        )
    publish_rows(home, "accounting", NIGHT, [landed("shop", 25), landed("kiosk", 90)])
    (home.landing / "bazaar").mkdir()
    taken = accept(home, "shop", NIGHT, "a <strike>")
    texts = [it.text for it in findings(night_of(home, NIGHT)) if it.state == "watch"]
    assert "shop landed 25 rows; usual are 33 to 300 (from 14 days before, median 100)." in texts
    assert f"Let pass: {taken}." in texts and "a <strike>" in str(taken)
    assert f"The night went on without stall, last seen on {BEFORE}." in texts
    assert "No source reads landing/bazaar." in texts
    assert not [text for text in texts if text.startswith("kiosk")]  # too small to tell


def test_more_in_quarantine_than_usual(home: Settings) -> None:
    for ds, lost in ((BEFORE, 2), (NIGHT, 4)):
        publish_rows(
            home, "accounting", ds, [{"rows_landed": 10, "events": 10 - lost, "duplicates": 0, "quarantined": lost}]
        )
    texts = [it.text for it in findings(night_of(home, NIGHT))]
    assert "40.0 % of the landed rows are in quarantine; usual is 20.0 %." in texts


def test_a_night_without_a_model_says_when_one_will_be(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_length, "landed_days", lambda settings: [shift(NIGHT, -9), NIGHT])
    publish_rows(home, "user_features", NIGHT, [{"user_id": user(n), "model_version": "none"} for n in range(6)])
    for table in ("accounting", "sessions"):
        publish_rows(home, table, NIGHT, [])
    enough = shift(NIGHT, 60)
    assert night_of(home, NIGHT).trained_from == enough
    assert f"users scored    6 by model none; one is trained from {enough} on" in summarise(home, NIGHT)
