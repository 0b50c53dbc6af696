"""A night of uplift as a whole: who is scored, what is refused and why, what readers find."""

import re

import pytest

from pipeline.decisions.uplift.build import build
from pipeline.runtime.days import shift
from pipeline.runtime.errors import ExperimentError, NotPublishedError
from pipeline.runtime.settings import Settings
from pipeline.storage import staging
from pipeline.storage.audit.audit_table import audit
from pipeline.storage.publish import publish
from pipeline.storage.reading import read
from pipeline.tables.registry import table_named
from tests.unit.pipeline.decisions.campaigns.campaign_home import FILE, put, user
from tests.unit.pipeline.decisions.campaigns.campaign_home import declare as declare_campaign
from tests.unit.pipeline.decisions.uplift.trials import (
    ENTRY,
    LAST,
    NIGHT,
    TOML,
    declare,
    put_entries,
    put_nights,
)
from tests.unit.pipeline.staged_factory import EVENT, NOON, pass_audit

TABLES = ("user_uplift", "uplift_judgements")
USERS = 1_200
CAMPAIGN = f"""{FILE}
[reward]
within_hours = 2
[uplift]
control = "red"
treatment = "blue"
"""


def told(settings: Settings, run: str = "r1", audited: bool = False) -> tuple[dict, dict]:
    """Builds and publishes; the judgement of the one trial, and the rows by user."""
    build(settings, LAST, run)
    for table in TABLES:
        if audited:
            audit(settings, table_named(table), run)
        else:
            [manifest] = staging.current(settings, table, run)
            pass_audit(settings, manifest)
        publish(settings, table_named(table), run)
    rows = {row["user_id"]: row for row in read("user_uplift", LAST, settings).to_pylist()}
    [judgement] = read("uplift_judgements", LAST, settings).to_pylist()
    return judgement, rows


def refusal(settings: Settings) -> str:
    judgement, rows = told(settings)
    assert (judgement["decision"], rows, judgement["qini"]) == ("refused", {}, None)
    return judgement["reason"]


def test_users_whom_the_treatment_changes_are_scored_first(home, capsys) -> None:
    put_nights(home, USERS, (NIGHT, LAST))
    put_entries(home, USERS, effect=0.4)
    declare(home)
    judgement, rows = told(home, audited=True)
    assert judgement["decision"] == "scored"
    assert judgement["effect_low"] < 0.2 < judgement["effect_high"]
    assert judgement["adjusted_low"] < 0.2 < judgement["adjusted_high"]
    assert judgement["qini_low"] > 0 and judgement["difference_p_value"] < 0.001
    assert judgement["users"] == judgement["scored_users"] == len(rows) == USERS
    assert re.search(r"experiment:banner: scored: Qini 0\.0", capsys.readouterr().out)
    gains, stays = rows[user(1)], rows[user(0)]
    assert gains["uplift"] > 0.2 > 0.1 > abs(stays["uplift"])
    assert gains["decile"] <= 5 < stays["decile"]
    assert gains["decile_low"] > 0.1 > stays["decile_low"]
    assert (gains["treatment"], gains["outcome"]) == ("new", "buyers")
    page = (home.reports / "uplift" / "experiment-banner.html").read_text()
    assert "Some users gain more than others" in page
    assert page.count("data:image/png;base64,") == 1
    assert not re.search(r"<script|https?://|<link", page)


def test_users_unlike_any_of_the_trial_are_left_out(home) -> None:
    put_nights(home, USERS, (NIGHT,))
    put_nights(home, 3, (LAST,), events_365d=10_000)
    put_entries(home, USERS, effect=0.4)
    declare(home)
    judgement, rows = told(home)
    assert (judgement["left_out_users"], judgement["scored_users"], rows) == (3, 0, {})


def test_of_a_large_trial_some_users_are_looked_at(home, monkeypatch) -> None:
    put_nights(home, USERS, (NIGHT, LAST))
    put_entries(home, USERS, effect=0.4)
    declare(home)
    monkeypatch.setattr("pipeline.decisions.uplift.trial.MOST_USERS", 700)
    judgement, rows = told(home)
    assert 600 < judgement["users"] < 800
    assert judgement["scored_users"] == len(rows) == USERS


def test_an_effect_on_nobody_is_undecided_and_nobody_is_scored(home) -> None:
    put_nights(home, USERS, (NIGHT, LAST))
    put_entries(home, USERS, effect=0.0)
    declare(home)
    judgement, rows = told(home)
    assert (judgement["decision"], rows) == ("undecided", {})
    assert judgement["qini_low"] <= 0 < judgement["effect_high"]
    page = (home.reports / "uplift" / "experiment-banner.html").read_text()
    assert "It is open who gains more." in page


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TOML.replace("window_days = 3", "window_days = 4"), "they end on 2024-03-08"),
        (TOML.replace('"purchase"', '"return"'), "and 0 outcomes; collect more"),
        (TOML.replace("2024-03-05", "2023-03-05"), "ended on 2023-03-07, more than 180 days ago"),
        (TOML.replace("2024-03-05", "2024-03-04"), "expected users who entered, found none"),
    ],
)
def test_what_is_no_experiment_is_refused(home, text: str, said: str) -> None:
    put_nights(home, USERS, (NIGHT, LAST))
    put_entries(home, USERS, effect=0.4)
    declare(home, text)
    assert said in refusal(home)
    assert "Nothing can be said." in (home.reports / "uplift/experiment-banner.html").read_text()


def test_arms_that_lose_users_unevenly_are_refused(home) -> None:
    put_nights(home, USERS, (NIGHT, LAST))
    put_entries(home, USERS, effect=0.4, lost=0.3)
    declare(home)
    assert "expected users split as declared, found 6" in refusal(home)


@pytest.mark.parametrize(("night", "more"), [(LAST, {}), (NIGHT, {"model_ds": LAST}), (shift(ENTRY, -9), {})])
def test_features_known_only_after_entry_are_refused(home, night: str, more: dict) -> None:
    """No night before, a model that was trained later, a night too long ago."""
    put_nights(home, USERS, (night,), **more)
    if night != LAST:
        put_nights(home, 3, (LAST,))
    put_entries(home, USERS, effect=0.4)
    declare(home)
    assert "features are known only after entry" in refusal(home)


def test_a_feature_that_knows_the_arm_is_found(home) -> None:
    """The night before entry was published again, and counts what the treated then did."""
    put_nights(home, USERS, (NIGHT, LAST))
    put_entries(home, USERS, effect=0.4)
    declare(home)
    arms = {row["user_id"]: row for row in read("user_features", NIGHT, home).to_pylist()}
    from pipeline.decisions.experiments.assignment import assign

    arm = assign(list(arms), "banner", (0.5, 0.5))
    rows = [{**row, "views_28d": int(it) + 1} for row, it in zip(arms.values(), arm, strict=True)]
    put(home, "user_features", {NIGHT: rows}, run="again")
    assert "expected arms that features do not foretell" in refusal(home)


def put_shown(settings: Settings, chance: float, landed: str = ENTRY) -> None:
    """One impression of each user, blue with that chance; blue is clicked by old buyers alone."""
    rows = []
    for number in range(USERS):
        blue = number * 0.7548776662 % 1 < chance
        row = {
            **EVENT,
            "ds": landed,
            "arrival_ds": landed,
            "account_id": user(number),
            "campaign_id": "blue" if blue else "red",
            "event_time": NOON.replace(hour=12 if number else 1),
        }
        rows.append(
            {**row, "event_id": f"i{number}", "event_type": "impression", "propensity": chance if blue else 1 - chance}
        )
        if number * 0.6180339887 % 1 < 0.1 + 0.5 * (blue and number % 2):
            rows.append({**row, "event_id": f"c{number}", "event_type": "view"})
    put(settings, "events", {landed: rows})


def test_a_campaigns_log_is_a_trial_by_its_propensities(home) -> None:
    put_nights(home, USERS, (NIGHT, LAST))
    put_shown(home, 0.7)
    declare_campaign(home, CAMPAIGN.replace('"everyone"', '"yes.csv"'))
    (home.home / "campaigns" / "yes.csv").write_text("\n".join(map(user, range(100))))
    judgement, rows = told(home)
    assert (judgement["trial"], judgement["decision"]) == ("campaign:spring", "scored")
    assert judgement["effect_low"] < 0.25 < judgement["effect_high"]
    assert set(rows) == {user(number) for number in range(100)}  # the others did not consent
    assert rows[user(1)]["uplift"] > 0.3 > 0.15 > rows[user(0)]["uplift"]


def test_impressions_that_land_late_know_nothing_of_the_days_between(home) -> None:
    put_nights(home, USERS, (shift(LAST, -1),))
    put_nights(home, 3, (LAST,))
    put_shown(home, 0.7, landed=LAST)
    declare_campaign(home, CAMPAIGN)
    assert f"no user_features of the week before {ENTRY} are published" in refusal(home)


def test_a_log_without_a_choice_is_refused(home) -> None:
    put_nights(home, USERS, (NIGHT, LAST))
    put_shown(home, 1.0)
    declare_campaign(home, CAMPAIGN)
    assert "expected propensities between 0 and 1, both excluded, found 1.0" in refusal(home)


def test_without_trials_the_day_is_empty_and_files_that_are_wrong_end_it(home, capsys) -> None:
    with pytest.raises(NotPublishedError, match="user_features"):
        build(home, LAST, "r0")
    put_nights(home, 2, (LAST,))
    declare_campaign(home)  # asks for no uplift
    build(home, LAST, "r1")
    assert [staging.current(home, table, "r1")[0].days for table in TABLES] == [{LAST: []}] * 2
    (home.home / "campaigns" / "spring.toml").unlink()
    build(home, LAST, "r2")
    assert "nothing shows whom an ad changes" in capsys.readouterr().out
    declare(home, TOML.replace("window_days", "windw_days"))
    with pytest.raises(ExperimentError, match="windw_days"):
        build(home, LAST, "r3")
