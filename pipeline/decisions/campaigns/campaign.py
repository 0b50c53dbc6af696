"""Campaign files: one TOML per campaign in `$TIDEMARK_HOME/campaigns/`.

`docs/policy.md` explains every key. A misspelt key, an unknown policy or a floor that does not fit
is refused with the file and the key; then nothing is published and yesterday's policy serves.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.decisions.bandits.specification import POLICIES, Policy
from pipeline.decisions.people import People, declared_people, folder_of
from pipeline.runtime.errors import CampaignError
from pipeline.runtime.settings import Settings
from pipeline.runtime.toml_section import Section, open_toml
from pipeline.tables.columns import EVENT_TYPES

NAME = re.compile(r"[a-z][a-z0-9_]*")
ANYWHERE = (("any", 1.0),)
VALUES = ("one", "revenue")
WEEK = 7
TOP = (
    "segment_by",
    "audience",
    "exploration_floor",
    "arms",
    "positions",
    "reward",
    "feedback",
    "champion",
    "challenger",
    "experiment",
    "uplift",
    "budget",
    "caps",
    "people",
)


@dataclass(frozen=True)
class Arm:
    """A creative or item: `events` knows it by `campaign_id`. Once retired it is not shown."""

    name: str
    campaign_id: str
    retired: bool = False


@dataclass(frozen=True)
class Reward:
    """What an impression is for: an event of that type with its `campaign_id`, soon enough."""

    event: str = "view"
    value: str = "one"  # or its revenue
    within_hours: float = 24.0


@dataclass(frozen=True)
class Campaign:
    """One campaign as declared."""

    name: str
    file: Path
    arms: tuple[Arm, ...]
    reward: Reward
    champion: Policy
    challenger: Policy | None
    consent: str  # a file of user ids, or EVERYONE
    exclude: tuple[str, ...]
    exploration_floor: float
    positions: tuple[tuple[str, float], ...]  # name, share of people who look there
    segment_by: str = ""
    audience: tuple[str, ...] = ()
    feedback_days: int = 28
    judge_days: int = 7
    most_refused: float = 0.02
    experiment_share: float = 0.0
    daily_impressions: int = 0  # 0: no budget
    total_impressions: int = 0  # from `first_day` on; 0: no budget
    first_day: str | None = None
    cap_per_day: int = 0  # 0: no cap
    cap_per_week: int = 0
    uplift: tuple[str, str] | None = None  # control and treatment, whose effect is asked for

    @property
    def people(self) -> People:
        return People(self.file, self.consent, self.exclude)

    @property
    def has_budget(self) -> bool:
        return bool(self.daily_impressions or self.total_impressions)

    @property
    def active(self) -> tuple[Arm, ...]:
        """The arms that may be shown."""
        return tuple(arm for arm in self.arms if not arm.retired)


def load_campaigns(settings: Settings) -> list[Campaign]:
    """Every campaign, by name. Raises CampaignError for the first file that is wrong."""
    return [load_campaign(file) for file in sorted(folder_of(settings).glob("*.toml"))]


def load_campaign(file: Path) -> Campaign:
    """Reads and checks one TOML. Raises CampaignError naming the file and the key."""
    top = open_toml(file, CampaignError)
    if not NAME.fullmatch(file.stem):
        raise top.wrong("file", f"a name like {NAME.pattern}.toml", file.name)
    people = declared_people(file, top.section("people"))
    campaign = Campaign(
        name=file.stem,
        file=file,
        arms=_arms(top),
        champion=_policy(top.section("champion")),
        challenger=_policy(top.section("challenger")) if top.has("challenger") else None,
        reward=_reward(top.section("reward", optional=True)),
        exploration_floor=top.number("exploration_floor", 0.01),
        positions=_positions(top.section("positions", optional=True)),
        consent=people.consent,
        exclude=people.exclude,
        segment_by=top.text("segment_by") if top.has("segment_by") else "",
        audience=tuple(top.list("audience", str)),
        uplift=_uplift(top.section("uplift", optional=True)),
        **_feedback(top.section("feedback", optional=True)),
        **_limits(top),
    )
    top.nothing_else(TOP)
    _check(campaign, top)
    return campaign


def _arms(top: Section) -> tuple[Arm, ...]:
    section = top.section("arms")
    arms = []
    for name in section.left():
        arm = section.section(name)
        known = arm.text("campaign_id", default=name)
        arms.append(Arm(name, known, arm.flag("retired", False)))
        arm.nothing_else(("campaign_id", "retired"))
    ids = [arm.campaign_id for arm in arms]
    if len(set(ids)) < len(ids):
        raise section.wrong("campaign_id", "one arm for each", ids)
    if sum(not arm.retired for arm in arms) < 2:
        raise top.wrong("arms", "at least two that are not retired", [arm.name for arm in arms])
    return tuple(arms)


def _policy(section: Section) -> Policy:
    name = section.text("policy")
    if name not in POLICIES:
        raise section.wrong("policy", f"one of {', '.join(POLICIES)}", name)
    usual = Policy(name)
    policy = Policy(
        name,
        epsilon=section.share("epsilon", usual.epsilon),
        confidence=section.number("confidence", usual.confidence),
        discount=section.share("discount", usual.discount),
        window_days=section.whole("window_days", usual.window_days),
        draws=section.whole("draws", usual.draws),
    )
    section.nothing_else(("policy", "epsilon", "confidence", "discount", "window_days", "draws"))
    if policy.draws < 1 or policy.discount == 0:
        raise section.wrong("draws, discount", "above 0", (policy.draws, policy.discount))
    return policy


def _reward(section: Section) -> Reward:
    usual = Reward()
    reward = Reward(
        section.text("event", default=usual.event),
        section.text("value", default=usual.value),
        section.number("within_hours", usual.within_hours),
    )
    section.nothing_else(("event", "value", "within_hours"))
    if reward.event not in EVENT_TYPES:
        raise section.wrong("event", f"one of {', '.join(EVENT_TYPES)}", reward.event)
    if reward.value not in VALUES:
        raise section.wrong("value", f"one of {', '.join(VALUES)}", reward.value)
    return reward


def _positions(section: Section) -> tuple[tuple[str, float], ...]:
    places = [(name, section.share(name, 1.0)) for name in section.left()]
    for name, examined in places:
        if not examined:
            raise section.wrong(name, "a share above 0 of people who look there", examined)
    return tuple(sorted(places, key=lambda place: -place[1])) or ANYWHERE


def _feedback(section: Section) -> dict[str, Any]:
    found: dict[str, Any] = {
        "feedback_days": section.whole("days", 28),
        "judge_days": section.whole("judge_days", 7),
        "most_refused": section.share("most_refused", 0.02),
    }
    section.nothing_else(("days", "judge_days", "most_refused"))
    if not 0 < found["judge_days"] < found["feedback_days"]:
        raise section.wrong("judge_days", "fewer days than feedback.days", found["judge_days"])
    return found


def _limits(top: Section) -> dict[str, Any]:
    budget, caps = top.section("budget", optional=True), top.section("caps", optional=True)
    experiment = top.section("experiment", optional=True)
    found: dict[str, Any] = {
        "daily_impressions": _limit(budget, "daily_impressions"),
        "total_impressions": _limit(budget, "total_impressions"),
        "first_day": budget.day("first_day"),
        "cap_per_day": _limit(caps, "per_day"),
        "cap_per_week": _limit(caps, "per_week"),
        "experiment_share": experiment.share("share", 0.0),
    }
    budget.nothing_else(("daily_impressions", "total_impressions", "first_day"))
    if found["total_impressions"] and not found["first_day"]:
        raise budget.wrong("first_day", "the day from which impressions are counted", None)
    caps.nothing_else(("per_day", "per_week"))
    experiment.nothing_else(("share",))
    return found


def _limit(section: Section, key: str) -> int:
    """0 without one; whoever writes 0 wants nothing shown, and gets no unlimited campaign."""
    declared = section.has(key)
    found = section.whole(key, 0)
    if declared and not found:
        raise section.wrong(key, "a whole number from 1, or no such key for no limit", found)
    return found


def _uplift(section: Section) -> tuple[str, str] | None:
    if not section.left():
        return None
    pair = section.text("control"), section.text("treatment")
    section.nothing_else(("control", "treatment"))
    return pair


def _check(campaign: Campaign, top: Section) -> None:
    arms, floor = len(campaign.active), campaign.exploration_floor
    if floor * arms > 1:
        raise top.wrong("exploration_floor", f"at most 1/{arms} for {arms} arms", floor)
    if campaign.cap_per_week and campaign.feedback_days < WEEK:
        raise top.wrong("feedback.days", f"at least {WEEK} with caps.per_week", campaign.feedback_days)
    if campaign.experiment_share and campaign.challenger is None:
        raise top.wrong("experiment", "a [challenger] to try", campaign.experiment_share)
    names, pair = [arm.name for arm in campaign.arms], campaign.uplift
    if pair and (not set(pair) <= set(names) or pair[0] == pair[1]):
        raise top.wrong("uplift", f"two of the arms {', '.join(names)}", pair)
    beta = [p for p in (campaign.champion, campaign.challenger) if p and p.name == "thompson_beta"]
    if beta and campaign.reward.value != "one":
        raise top.wrong("reward.value", '"one" with thompson_beta', campaign.reward.value)
