"""Campaign files: what is read, and the message for what can be wrong in one."""

from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.decisions.bandits.specification import Policy
from pipeline.decisions.campaigns.audience import audience_of
from pipeline.decisions.campaigns.campaign import Arm, load_campaign, load_campaigns
from pipeline.runtime.errors import CampaignError

TOML = """
segment_by = "segment"
exploration_floor = 0.05
[arms.red]
campaign_id = "spring-0"
[arms.blue]
[arms.old]
retired = true
[positions]
feed = 0.4
top = 1.0
[reward]
event = "purchase"
value = "revenue"
within_hours = 48
[feedback]
days = 21
judge_days = 5
[champion]
policy = "uniform"
[challenger]
policy = "lints"
discount = 0.9
[budget]
daily_impressions = 1000
[caps]
per_day = 3
per_week = 10
[people]
consent = "yes.csv"
exclude = ["no.csv"]
"""
ALICE, BOB, CAROL = (letter * 32 for letter in "abc")


def written(folder: Path, text: str = TOML) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "spring.toml"
    file.write_text(text)
    return file


def test_everything_is_read(tmp_path: Path) -> None:
    found = load_campaign(written(tmp_path))
    assert found.arms == (Arm("red", "spring-0"), Arm("blue", "blue"), Arm("old", "old", True))
    assert [arm.name for arm in found.active] == ["red", "blue"]
    assert found.positions == (("top", 1.0), ("feed", 0.4))
    assert (found.champion, found.challenger) == (Policy("uniform"), Policy("lints", discount=0.9))
    assert (found.reward.event, found.reward.value, found.reward.within_hours) == (
        "purchase",
        "revenue",
        48,
    )
    assert (found.feedback_days, found.judge_days, found.most_refused) == (21, 5, 0.02)
    assert (found.daily_impressions, found.cap_per_day, found.cap_per_week) == (1000, 3, 10)
    assert (found.name, found.segment_by, found.exploration_floor) == ("spring", "segment", 0.05)
    assert (found.consent, found.exclude) == ("yes.csv", ("no.csv",))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("exploration_floor", "exploration_flor", "exploration_flor: expected no such key; known"),
        ("discount", "discuont", r"challenger.discuont: expected no such key; known are policy"),
        ("per_week", "per_month", "caps.per_month: expected no such key"),
        ('"lints"', '"linst"', "challenger.policy: expected one of uniform, .*found 'linst'"),
        ("0.05", "0.6", r"exploration_floor: expected at most 1/2 for 2 arms, found 0.6"),
        ("0.4", "0", "positions.feed: expected a share above 0"),
        ("[arms.blue]", "", r"arms: expected at least two that are not retired"),
        ('"purchase"', '"buy"', "reward.event: expected one of impression"),
        ("judge_days = 5", "judge_days = 21", "feedback.judge_days: expected fewer days"),
        ("per_day = 3", "per_day = 2.5", "caps.per_day: expected a whole number"),
        ('consent = "yes.csv"', "", "people.consent: expected a text, found None"),
        ('"lints"', '"thompson_beta"', 'reward.value: expected "one" with thompson_beta'),
        ("[arms.blue]", '[arms.blue]\ncampaign_id = "spring-0"', "campaign_id: expected one arm"),
        (
            "[arms.blue]",
            '[uplift]\ncontrol = "red"\ntreatment = "green"\n[arms.blue]',
            r"uplift: expected two of the arms red, blue.*'green'",
        ),
        ("segment_by", "= segment_by", "not valid TOML"),
        (
            "per_day = 3",
            "per_day = 0",
            "caps.per_day: expected a whole number from 1, or no such key",
        ),
        ("daily_impressions = 1000", "daily_impressions = 0", "budget.daily_impressions: expected"),
        ("days = 21", "days = 6", "feedback.days: expected at least 7 with caps.per_week, found 6"),
        ("0.05", "nan", "exploration_floor: expected a number from 0, found nan"),
        ("= 48", "= inf", "reward.within_hours: expected a number from 0, found inf"),
        ("daily_impr", "total_impr", "budget.first_day: expected the day from which"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    file = written(tmp_path, TOML.replace(old, new, 1))
    with pytest.raises(CampaignError, match=message) as caught:
        load_campaign(file)
    assert str(file) in str(caught.value)


def test_campaigns_of_a_home_by_name(home) -> None:
    assert load_campaigns(home) == []
    written(home.home / "campaigns")
    assert [it.name for it in load_campaigns(home)] == ["spring"]


def admitted(home, **lists: list[str]) -> list[str]:
    folder = home.home / "campaigns"
    campaign = load_campaign(written(folder))
    for name, users in lists.items():
        (folder / f"{name}.csv").write_text("\n".join(["user_id", *users]) + "\n")
    users = pa.array([ALICE, BOB, CAROL])
    return users.filter(audience_of(campaign, home, "2024-03-05").admits(users)).to_pylist()


def test_refusal_wins_over_consent(home) -> None:
    assert admitted(home, yes=[ALICE, BOB], no=[BOB]) == [ALICE]
    assert admitted(home, yes=[ALICE, BOB], no=[], never=[ALICE]) == [BOB]


def test_a_list_that_is_missing_or_holds_raw_ids_is_refused(home) -> None:
    with pytest.raises(CampaignError, match=r"people.consent: .*yes.csv cannot be read"):
        admitted(home, no=[])
    with pytest.raises(CampaignError, match=r"yes.csv: entry 2: expected a pseudonym"):
        admitted(home, yes=[ALICE, "alice@example.org"], no=[])
