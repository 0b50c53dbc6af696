"""The night's list as a whole: consent, caps, cool-down, budget, who is held out."""

import pytest

from pipeline.decisions.experiments.assignment import position
from pipeline.decisions.experiments.experiment import load_experiment
from pipeline.decisions.experiments.outcomes import read_outcomes
from pipeline.decisions.interventions.build import build
from pipeline.runtime.days import shift
from pipeline.runtime.errors import CampaignError, ExperimentError, NotPublishedError
from pipeline.storage import staging
from pipeline.storage.audit.audit_table import audit
from pipeline.storage.reading import published
from pipeline.tables.registry import table_named
from tests.unit.pipeline.decisions.campaigns.campaign_home import user
from tests.unit.pipeline.decisions.interventions.intervention_home import (
    LAST,
    declare,
    kind,
    listed,
    put_events,
    put_users,
    who,
)

FADING = {"is_regular": True, "usual_gap_days": 3.0, "recency_days": 9}
BOTH = {**FADING, "fading": 0.95, "p_return_28d": 0.5}
AD = {"campaign_id": "red"}
YES = '[people]\nconsent = "yes.csv"\nexclude = ["no.csv"]\n'


def put_fading(home, users: int, ds: str = LAST) -> None:
    """User 0 is the most unusual."""
    put_users(home, {n: {**FADING, "fading": 0.99 - n / 1000} for n in range(users)}, ds)


def numbers(rows: list[dict]) -> list[int]:
    return [number for _, number in who(rows)]


def test_without_a_file_nobody_is_contacted(home) -> None:
    with pytest.raises(NotPublishedError, match="user_features"):
        build(home, LAST, "r1")
    put_fading(home, 3)
    assert listed(home) == []
    assert published("interventions", home)[LAST].rows == 0


def test_refusal_wins_and_only_who_consented_is_listed(home) -> None:
    put_fading(home, 6)
    folder = home.home / "campaigns"
    folder.mkdir()
    (folder / "yes.csv").write_text("\n".join(map(user, (0, 1, 2, 5))))
    (folder / "no.csv").write_text(user(1))
    (folder / "never.csv").write_text(user(0))
    declare(home, kind("fading_regular"), people=YES)
    assert numbers(listed(home)) == [2, 5]


def test_a_list_that_is_missing_ends_the_job(home) -> None:
    put_fading(home, 1)
    declare(home, kind("fading_regular"), people=YES)
    with pytest.raises(CampaignError, match=r"interventions.toml: people.consent: .*yes.csv"):
        build(home, LAST, "r1")


def test_the_budget_goes_to_the_best(home) -> None:
    put_fading(home, 6)
    declare(home, kind("fading_regular", budget=2))
    rows = listed(home)
    assert numbers(rows) == [0, 1]
    assert [row["place"] for row in rows] == [1, 2]


def test_a_user_is_named_once_by_the_kind_that_comes_first(home) -> None:
    put_users(home, {0: BOTH, 1: {"p_return_28d": 0.4}})
    put_events(home, *[(0, n, "purchase", "shop:1") for n in (0, 1)])
    kinds = [kind("fading_regular"), kind("return_risk")]
    declare(home, *kinds)
    assert who(listed(home)) == [("fading_regular", 0), ("return_risk", 1)]
    declare(home, *reversed(kinds))
    assert who(listed(home, run="r2")) == [("return_risk", 0), ("return_risk", 1)]
    declare(home, *kinds, "[caps]\ninterventions_per_day = 2\n")
    both = [("fading_regular", 0), ("return_risk", 0), ("return_risk", 1)]
    assert who(listed(home, run="r3")) == both
    declare(home, *kinds, "[caps]\ninterventions_per_day = 2\nper_day = 1\n")
    assert who(listed(home, run="r4")) == [("fading_regular", 0), ("return_risk", 1)]


def test_who_was_listed_of_late_is_left_alone(home) -> None:
    cool = kind("fading_regular", budget=2, more="cool_down_days = 2")
    declare(home, cool)
    found = []
    for ago in (3, 2, 1, 0):
        ds = shift(LAST, -ago)
        put_fading(home, 5, ds)
        found.append(numbers(listed(home, ds, f"r{ago}")))
    assert found == [[0, 1], [2, 3], [0, 1], [2, 3]]


def test_caps_count_ads_and_earlier_interventions(home) -> None:
    yesterday = shift(LAST, -1)
    put_users(home, {0: {"p_return_28d": 0.5}}, yesterday)
    put_fading(home, 6)
    ads = [
        (ago, n, "impression", "shop:1", AD)
        for n, days in enumerate(([0], [0, 1], [0, 0], [5, 6], [5, 4, 3, 0]))
        for ago in days
    ]
    no_ad = (0, 5, "impression", "shop:1", {"campaign_id": None})
    put_events(home, *ads, no_ad, (1, 0, "purchase", "shop:2"))
    declare(home, kind("return_risk"))
    assert numbers(listed(home, yesterday, "r0")) == [0]
    declare(home, kind("fading_regular"))
    rows = listed(home)
    assert {n: row["contacts_6d"] for n, row in zip(numbers(rows), rows, strict=True)} == {
        0: 2,
        1: 2,
        2: 2,
        3: 1,
        4: 4,
        5: 0,
    }
    # of the newest day: user 0 one ad and yesterday's intervention, user 2 two ads
    declare(home, kind("fading_regular"), "[caps]\nper_day = 2\n")
    assert numbers(listed(home, run="r2")) == [1, 3, 4, 5]
    declare(home, kind("fading_regular"), "[caps]\nper_week = 2\n")
    assert numbers(listed(home, run="r3")) == [3, 5]


def test_who_is_held_out_is_listed_like_the_others_without_an_action(home) -> None:
    put_fading(home, 40)
    declare(home, kind("fading_regular", budget=30), top="holdout = 0.25\n")
    rows = listed(home)
    assert numbers(rows) == list(range(30))
    held = {number for number, row in zip(numbers(rows), rows, strict=True) if row["held_out"]}
    assert held == {n for n in range(30) if position(user(n), "interventions") < 0.25}
    assert 2 <= len(held) <= 15
    assert {row["suggested_action"] for row in rows if row["held_out"]} == {None}
    audit(home, table_named("interventions"), "r1")


def test_a_rerun_gives_the_same_rows_and_other_inputs_are_noted(home) -> None:
    put_fading(home, 5)
    put_events(home, (0, 1, "view", "shop:1"))
    declare(home, kind("fading_regular"), kind("price_drop"))
    first = listed(home)
    assert listed(home, run="r2") == first
    [manifest] = staging.current(home, "interventions", "r2")
    assert set(manifest.inputs) == {"user_features", "events", "interventions"}


EXPERIMENT = """
first_day = 2024-03-20
last_day = 2024-03-21
window_days = 2
entry = "fading_regular"
salt = "interventions"
[arms]
held_out = 0.25
contacted = 0.75
[metrics.buyers]
event = "purchase"
role = "primary"
least_gain = 0.05
"""


def test_an_experiment_tells_what_interventions_do(home) -> None:
    for ago in (2, 1, 0):  # entry is the day after; the first night is before the experiment
        put_fading(home, 8 if ago else 12, shift(LAST, -ago))
    bought = [(-after, n, "purchase", "shop:1") for after, n in ((1, 5), (2, 9), (3, 10))]
    put_events(home, (0, 20, "view", "shop:1"), *bought)
    declare(home, kind("fading_regular", budget=4), top="holdout = 0.25\n")
    for ago in (2, 1, 0):
        listed(home, shift(LAST, -ago), f"r{ago}")
    folder = home.home / "experiments"
    folder.mkdir()
    (folder / "fading.toml").write_text(EXPERIMENT)
    users = read_outcomes(load_experiment(home, "fading"), home, shift(LAST, 3))
    found = {int(row["user_id"], 16): row for row in users.to_dicts()}
    assert set(found) == {4, 5, 6, 7, 8, 9, 10, 11}  # also those without any event
    assert str(found[4]["entry"]) == LAST
    assert str(found[8]["entry"]) == shift(LAST, 1)
    assert {n for n, row in found.items() if row["buyers"]} == {5, 9}  # 10 is a day too late
    assert {n for n, row in found.items() if row["arm"] == 0} == {
        n for n in found if position(user(n), "interventions") < 0.25
    }
    later = EXPERIMENT.replace("03-20", "03-22").replace("03-21", "03-23")
    (folder / "fading.toml").write_text(later)
    with pytest.raises(ExperimentError, match=r"nights 2024-03-21..2024-03-22 are published"):
        read_outcomes(load_experiment(home, "fading"), home, shift(LAST, 3))
    (folder / "fading.toml").write_text(EXPERIMENT.replace('salt = "interventions"', ""))
    with pytest.raises(ExperimentError, match=r"expected the control to be who was held out"):
        read_outcomes(load_experiment(home, "fading"), home, shift(LAST, 3))
