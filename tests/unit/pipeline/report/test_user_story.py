"""`python -m pipeline user ID`: what is told of one person, word by word."""

import json
import subprocess
import sys

import pytest

from pipeline.report.story.facts import Facts, facts_of
from pipeline.report.story.next_items import next_items
from pipeline.report.story.sections import chances, drift, interests, interventions, signals, who
from pipeline.runtime.errors import NotPublishedError
from pipeline.runtime.settings import Settings
from pipeline.runtime.wording import clean, listed, number, percent, span
from pipeline.tables.registry import USER_FEATURES
from tests.unit.pipeline.features.feature_days import ANN, BOB, features, publish_days
from tests.unit.pipeline.staged_factory import SOUND

TUE = "2024-03-05"
TOPICS = {"t0001": "candle · holder", "t0002": "garden · hose"}
TITLES = {"shop:0": "Brass Candle", "shop:1": "Garden Hose"}
AVERAGE = {c.name: 0.1 for c in USER_FEATURES.columns if c.name.startswith("p_")}
MOVED = {
    "interests_long": [{"topic_id": "t0001", "share": 0.75}, {"topic_id": "t0002", "share": 0.25}],
    "interests_short": [{"topic_id": "t0002", "share": 1.0}],
    "drift_stage": "shifting",
    "drift_from_topic": "t0001",
    "drift_to_topic": "t0002",
    "drift_since_ds": "2024-01-30",
    "drift_score": 0.42,
    "drift_p_value": 0.003,
    "weekly_topics": ["t0001", "t0001", "t0001", "t0002"],
    "pattern": "moved_on",
}
TOLD = {
    "segment": "fading",
    "usual_gap_days": 3.25,
    "is_regular": True,
    "fading": 0.93,
    "anomaly_score": 0.7,
    "anomaly_reason": "events_per_day",
    "return_rate": 0.125,
    "price_level": -0.105,
    "sentiment": -0.5,
    "reviews": 2,
    "due_again": [{"topic_id": "t0001", "item_id": "shop:0", "due_ds": "2024-03-10", "cycle_days": 30.4}],
    "search_intents": [{"query": "green hose", "topic_id": "t0002", "weight": 2.0}],
}


def facts(**changes: object) -> Facts:
    row = dict.fromkeys(USER_FEATURES.schema.names) | features(ANN, TUE, **changes)
    return Facts(row, TOPICS, TITLES, AVERAGE, 2)


def test_who() -> None:
    told = who(
        facts(
            platforms=["market", "shop"],
            first_ds="2024-01-02",
            last_ds="2024-03-02",
            recency_days=3,
            active_days_28d=1,
            events_28d=1200,
            views_28d=1198,
            carts_28d=1,
            purchases_28d=1,
            spend_28d=9.5,
            events_365d=1300,
            purchases_365d=2,
            spend_365d=1019.0,
            is_cold_start=False,
            cold_start=None,
        )
    )
    assert told == [
        "On market and shop since 2024-01-02, last active 2024-03-02 (3 days ago).",
        "In 28 days: 1 active day, 1,200 events: 1,198 views, 1 cart, 1 purchase, 0 returns; spent 9.50.",
        "In a year: 1,300 events, 2 purchases, spent 1,019.00.",
    ]


def test_a_cold_start_is_said() -> None:
    assert who(facts(is_cold_start=True))[-1] == (
        "Hardly known (fewer than 3 events): what follows leans on all users."
    )


def test_interests() -> None:
    assert interests(facts(**MOVED)) == [
        "long-term:  “candle · holder” 75%, “garden · hose” 25%",
        "short-term: “garden · hose” 100%",
    ]
    many = [{"topic_id": f"t000{n}", "share": 0.125} for n in range(1, 9)]
    assert interests(facts(interests_long=many, interests_short=[])) == [
        "long-term:  “candle · holder” 12%, “garden · hose” 12%, t0003 12%, t0004 12%, t0005 12%, others 38%",
        "short-term: none yet",
    ]


def test_drift_is_a_sentence() -> None:
    assert drift(facts(**MOVED)) == [
        "Has been moving from “candle · holder” to “garden · hose” since 2024-01-30, for 5 weeks "
        "(shifting, p = 0.003, distance 0.42).",
        "Week by week: “candle · holder” (3 weeks) → “garden · hose” (moved on).",
    ]


def test_no_drift_is_a_sentence_too() -> None:
    still = facts(drift_stage="stable", drift_p_value=0.61234, weekly_topics=[], pattern=None)
    assert drift(still) == ["Stable: no move beyond chance (p = 0.61)."]


@pytest.mark.parametrize(
    ("stage", "told"),
    [
        (
            "shifted",
            "Moved from no topic in particular to t0009: it began on 2024-01-30, 5 weeks ago (",
        ),
        (
            "reviving",
            "Has been coming back to t0009, from no topic in particular, ",
        ),
        (
            "fading",
            "Has been losing interest in no topic in particular since 2024-01-30, for 5 weeks; ",
        ),
    ],
)
def test_every_stage_has_words_also_without_topics(stage: str, told: str) -> None:
    row = {**MOVED, "drift_stage": stage, "drift_from_topic": None, "drift_to_topic": "t0009"}
    assert drift(facts(**row))[0].startswith(told)
    assert f"({stage}, p = 0.003" in drift(facts(**row))[0]


def test_signals() -> None:
    assert signals(facts(**TOLD)) == [
        "A regular who is fading, usually here every 3.2 days; the silence is unusual (0.93 of 1).",
        "Due again on 2024-03-10: “candle · holder”, every 30 days, last Brass Candle.",
        "Searched of late: “green hose”.",
        "Returns 12% of what is bought.",
        "Pays 10% under the usual price.",
        "Reviews: 2, harsh (-0.50).",
        "Unlike others: events per day (score 0.70).",
    ]


def test_what_is_overdue_is_told_so() -> None:
    due = [{"topic_id": "t0002", "item_id": None, "due_ds": TUE, "cycle_days": 7.0}]
    assert signals(facts(segment="active", fading=0.0, return_rate=0.0, due_again=due))[1] == (
        f"Has been due since {TUE}: “garden · hose”, every 7 days, last an item."
    )


def test_signals_of_a_user_of_whom_little_is_known() -> None:
    new = {"segment": "new", "usual_gap_days": None, "fading": 0.0, "return_rate": 0.0}
    assert signals(facts(**new)) == ["New here.", "Returns 0.0% of what is bought."]


def test_a_day_before_the_columns_has_no_such_sections() -> None:
    old = {column.name: None for column in USER_FEATURES.columns if column.since != "1.0"}
    before = facts(**old)
    assert (interests(before), drift(before), signals(before)) == ([], [], [])
    assert len(who(before)) == 4
    assert len(chances(before)) == 6


def test_chances_stand_beside_the_average() -> None:
    table = chances(facts(p_purchase_7d=0.25, p_purchase_28d=0.0004, propensity_reasons=None))
    assert table[0] == "                7 days  average   28 days  average"
    assert table[3] == "a purchase         25%      10%     <0.1%      10%"


def test_next_items_have_titles_and_reasons() -> None:
    reasons = {"own": 2.0, "alike": 0.26, "trend": -1.0, "text": 0.1, "model": 0.0}
    listed_items = [{"item_id": f"shop:{n}", "score": 0.1 / (n + 1)} for n in range(9)]
    told = next_items(facts(next_items=listed_items, next_items_reasons=[reasons] * 9), "next_items")
    assert told[0] == " 1.    10%  Brass Candle — own repeats +2.0, users alike +0.3"
    assert told[2] == " 3.   3.3%  shop:2 — own repeats +2.0, users alike +0.3"
    assert len(told) == 8


def test_the_items_of_the_user_that_speak_for_an_item_are_named() -> None:
    row = facts(next_items_reasons=[]).row
    row["next_items_because"] = [
        {"item_id": "shop:0", "because_item_id": "shop:1", "effect": 0.4},
        {"item_id": "shop:0", "because_item_id": "shop:0", "effect": 0.3},
        {"item_id": "shop:0", "because_item_id": "shop:9", "effect": -0.4},
    ]
    told = next_items(Facts(row, TOPICS, TITLES, AVERAGE, 2), "next_items")
    assert told[0] == " 1.   100%  Brass Candle — after Garden Hose, itself"
    assert told[1] == " 2.    99%  Garden Hose"


def test_interventions_are_told_until_they_expire(days: Settings) -> None:
    row = {**SOUND["interventions"], "user_id": ANN, "item_id": "shop:1"}
    yesterday = "2024-03-04"
    publish_days(
        days,
        "i1",
        {
            yesterday: [
                {**row, "ds": yesterday, "bought_ds": yesterday, "expires_ds": TUE},  # was today
                {**row, "ds": yesterday, "user_id": BOB},
            ],
            TUE: [row],
            "2024-03-06": [{**row, "ds": "2024-03-06"}],  # nobody knows of it yet
        },
        table="interventions",
    )
    found = facts_of(days, ANN, TUE)
    assert interventions(found) == ["Return risk (Garden Hose): bought. To do until 2024-03-08: offer help."]
    found.interventions[0] |= {"suggested_action": None, "item_id": None}
    assert interventions(found) == ["Return risk: bought. Held out."]
    assert interventions(facts()) == []


def test_words() -> None:
    assert [percent(x) for x in (0, 0.0004, 0.012, 0.1, 1)] == [
        "0.0%",
        "<0.1%",
        "1.2%",
        "10%",
        "100%",
    ]
    assert [number(x, "day") for x in (0, 1, 1.5, 2000)] == [
        "0 days",
        "1 day",
        "1.5 days",
        "2,000 days",
    ]
    assert [listed(["a", "b", "c"][:n]) for n in range(4)] == ["", "a", "a and b", "a, b and c"]
    days = ("2024-03-05", "2024-03-04", "2024-02-01", "2023-03-05")
    assert [span(ds, TUE) for ds in days] == ["0 days", "1 day", "4 weeks", "12 months"]


def test_titles_cannot_break_the_line() -> None:
    assert clean("Red\x1b[31m\n\tmug\u202e 😀 日本") == "Red [31m mug 😀 日本"
    assert clean("ספל אדום") == "\u2068ספל אדום\u2069"
    assert clean("x" * 99) == "x" * 59 + "…"


@pytest.fixture
def days(home: Settings) -> Settings:
    publish_days(
        home,
        "r1",
        {TUE: [features(ANN, TUE, p_churn_7d=0.5, **MOVED), features(BOB, TUE, p_churn_7d=0.75)]},
    )
    topic = {**SOUND["topics"], "ds": TUE}
    rows = [{**topic, "topic_id": key, "name": name} for key, name in TOPICS.items()]
    publish_days(home, "r1", {TUE: rows}, table="topics")
    item = {**SOUND["items"], "ds": "2024-03-04", "updated_ds": "2024-03-04"}
    items = [{**item, "item_id": key, "title": title} for key, title in TITLES.items()]
    publish_days(
        home,
        "r1",
        {"2024-03-04": [*items, {**item, "item_id": "shop:2", "title": None}]},
        table="items",
    )
    return home


def test_facts_are_read_for_the_user_and_what_the_row_mentions(days: Settings) -> None:
    found = facts_of(days, ANN, TUE)
    assert (found.row["user_id"], found.users) == (ANN, 2)
    assert (found.topics, found.titles) == (TOPICS, TITLES)  # of the newest day of items before
    assert found.average["p_churn_7d"] == 0.625
    with pytest.raises(NotPublishedError, match="no row of user " + "c" * 32):
        facts_of(days, "c" * 32, TUE)


def call(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "user", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_command_tells_the_whole_story(days: Settings) -> None:
    text = call(ANN)
    assert text.startswith(f"User {ANN} at the end of {TUE} (model 1)\n\nWho\n  On shop since ")
    headings = [line for line in text.splitlines() if line and not line.startswith(" ")]
    assert headings[1:] == [
        "Who",
        "Interests",
        "Drift",
        "Signals",
        "Chances, against the average of 2 users",
        "Next items",
        "Next items that are new to the user",
    ]
    assert "Has been moving from “candle · holder” to “garden · hose”" in text


def test_json_for_machines(days: Settings) -> None:
    told = json.loads(call(ANN, "--ds", TUE, "--json"))
    assert told["row"]["drift_to_topic"] == "t0002"
    assert told["topics"] == TOPICS
    assert set(told["row"]) == set(USER_FEATURES.schema.names)
