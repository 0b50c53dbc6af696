"""Decisions are about persons: what two accounts of one did counts together, as known on the day."""

from datetime import timedelta
from pathlib import Path

from pipeline.decisions.campaigns.campaign import load_campaigns
from pipeline.decisions.campaigns.feedback import read_feedback
from pipeline.decisions.experiments.experiment import load_experiment
from pipeline.decisions.experiments.outcomes import read_outcomes
from pipeline.decisions.interventions.views import open_views
from pipeline.decisions.people import EVERYONE, NEVER, People, audience_of_lists
from pipeline.runtime.days import shift
from pipeline.runtime.settings import Settings
from tests.unit.pipeline.decisions.campaigns.campaign_home import LAST, declare, put, put_users, user
from tests.unit.pipeline.staged_factory import EVENT, NOON, SOUND

PERSON = "f" * 32
ACT = {
    **EVENT,
    "event_time": NOON.replace(day=18),
    "campaign_id": "red",
    "ds": "2024-03-18",
    "arrival_ds": "2024-03-18",
}
EXPERIMENT = """
first_day = 2024-03-18
last_day = 2024-03-18
window_days = 2
entry = "view"
[arms]
control = 0.5
treatment = 0.5
[metrics.acts]
event = "impression"
value = "events"
role = "primary"
least_gain = 1
"""


def put_acts(home: Settings) -> None:
    """On the same day account 1 is shown an ad, which account 2 answers; both are one person's."""
    shown = {**ACT, "account_id": user(1), "event_id": "i", "event_type": "impression", "propensity": 0.5}
    answer = {**ACT, "account_id": user(2), "event_id": "v", "event_type": "view"}
    put(home, "events", {ACT["ds"]: [shown, {**answer, "event_time": ACT["event_time"] + timedelta(seconds=5)}]})


def join(home: Settings) -> None:
    rows = [{"ds": LAST, "account_id": user(it), "user_id": PERSON, "since_ds": LAST} for it in (1, 2)]
    put(home, "identities", {LAST: rows}, run="joined")


def test_an_answer_by_another_account_is_the_person_s(home: Settings) -> None:
    declare(home)
    put_acts(home)
    (campaign,) = load_campaigns(home)
    _, alone = read_feedback(campaign, home, LAST)
    assert (alone.rows["user_id"].to_list(), alone.rows["reward"].to_list()) == ([user(1)], [0.0])
    join(home)
    _, feedback = read_feedback(campaign, home, LAST)
    assert (feedback.rows["user_id"].to_list(), feedback.rows["reward"].to_list()) == ([PERSON], [1.0])
    assert feedback.refusals == 0


def test_contacts_of_all_accounts_count(home: Settings) -> None:
    """An ad shown to one account, and an intervention for the other before they were joined."""
    put_users(home)
    put_acts(home)
    before = shift(LAST, -1)
    put(home, "interventions", {before: [{**SOUND["interventions"], "ds": before, "user_id": user(2)}]})
    join(home)
    with open_views(home, LAST, days=7, cool_down_days=7) as views:
        contacts = views.database.execute("SELECT user_id, of_six_days FROM contacts").fetchall()
        assert contacts == [(PERSON, 2)]
        assert views.database.execute("SELECT DISTINCT user_id FROM events").fetchall() == [(PERSON,)]
        assert "identities" in views.inputs


def test_who_refused_as_an_account_has_refused_as_a_person(home: Settings) -> None:
    folder = home.home / "campaigns"
    folder.mkdir()
    (folder / NEVER).write_text(f"user_id\n{user(1)}\n")
    people = People(Path("spring.toml"), EVERYONE)
    assert audience_of_lists(people, home, LAST).refused.to_pylist() == [user(1)]
    join(home)
    assert set(audience_of_lists(people, home, LAST).refused.to_pylist()) == {user(1), PERSON}
    assert audience_of_lists(people, home, shift(LAST, -1)).refused.to_pylist() == [user(1)]


def test_a_person_enters_an_experiment_once(home: Settings) -> None:
    """By the view of one account, and what the other did counts."""
    (home.home / "experiments").mkdir()
    (home.home / "experiments" / "acts.toml").write_text(EXPERIMENT)
    put_acts(home)
    join(home)
    found = read_outcomes(load_experiment(home, "acts"), home, LAST)
    assert found.select("user_id", "acts").rows() == [(PERSON, 1.0)]
