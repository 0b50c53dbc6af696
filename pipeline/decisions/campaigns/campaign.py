"""Campaign files: one TOML per campaign in `$TIDEMARK_HOME/campaigns/`.

`docs/reference/campaigns.md` explains every key. A misspelt key, an unknown policy or a floor that does not fit is
refused with the file and the key; then nothing is published and yesterday's policy serves.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import Field, Strict, model_validator
from pydantic.dataclasses import dataclass as table

from pipeline.decisions.bandits.specification import POLICIES, Policy
from pipeline.decisions.people import People, PeopleTable, folder_of
from pipeline.runtime.errors import CampaignError
from pipeline.runtime.settings import Settings
from pipeline.runtime.toml_file import (
    TABLE,
    AboveZero,
    Day,
    Expected,
    Flag,
    Number,
    Real,
    Share,
    Text,
    Texts,
    Whole,
    checked,
    expected,
    one_of,
    parsed,
    wrong,
)
from pipeline.tables.columns import EVENT_TYPES

NAME = re.compile(r"[a-z][a-z0-9_]*")
ANYWHERE = (("any", 1.0),)
VALUES = ("one", "revenue")
WEEK = 7


@dataclass(frozen=True)
class Arm:
    """A creative or item: `events` knows it by `campaign_id`. Once retired it is not shown."""

    name: str
    campaign_id: str
    retired: bool = False


@table(frozen=True, config=TABLE)
class Reward:
    """What an impression is for: an event of that type with its `campaign_id`, soon enough."""

    event: Annotated[Text, one_of(EVENT_TYPES)] = "view"
    value: Annotated[Text, one_of(VALUES)] = "one"  # or its revenue
    within_hours: Number = 24.0


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


# Whoever writes 0 wants nothing shown, and gets no unlimited campaign.
_Limit = Annotated[int, Strict(), Field(ge=1), Expected("a whole number from 1, or no such key for no limit")]
_Examined = Annotated[Real, Field(gt=0, le=1), Expected("a share above 0 of people who look there")]
_Discount = Annotated[Real, Field(gt=0, le=1), Expected("a number above 0, at most 1")]


@table(frozen=True, config=TABLE)
class _ArmTable:
    campaign_id: Text | None = None
    retired: Flag = False


@table(frozen=True, config=TABLE)
class _PolicyTable:
    policy: Annotated[Text, one_of(POLICIES)]
    epsilon: Share = Policy.epsilon
    confidence: Number = Policy.confidence
    discount: _Discount = Policy.discount
    window_days: Whole = Policy.window_days
    draws: AboveZero = Policy.draws

    def named(self) -> Policy:
        return Policy(self.policy, self.epsilon, self.confidence, self.discount, self.window_days, self.draws)


@table(frozen=True, config=TABLE)
class _Feedback:
    days: Whole = 28
    judge_days: Whole = 7
    most_refused: Share = 0.02

    @model_validator(mode="after")
    def _in_order(self) -> "_Feedback":
        if not 0 < self.judge_days < self.days:
            raise expected("fewer days than feedback.days", self.judge_days, "judge_days")
        return self


@table(frozen=True, config=TABLE)
class _Budget:
    daily_impressions: _Limit = 0
    total_impressions: _Limit = 0
    first_day: Day | None = None

    @model_validator(mode="after")
    def _counted_from(self) -> "_Budget":
        if self.total_impressions and not self.first_day:
            raise expected("the day from which impressions are counted", None, "first_day")
        return self


@table(frozen=True, config=TABLE)
class _Caps:
    per_day: _Limit = 0
    per_week: _Limit = 0


@table(frozen=True, config=TABLE)
class _Trial:
    share: Share = 0.0


@table(frozen=True, config=TABLE)
class _Uplift:
    control: Text
    treatment: Text


@table(frozen=True, config=TABLE)
class _File:
    people: PeopleTable
    arms: dict[str, _ArmTable]
    champion: _PolicyTable
    challenger: _PolicyTable | None = None
    reward: Reward = Reward()
    exploration_floor: Number = 0.01
    positions: dict[str, _Examined] = field(default_factory=dict)
    segment_by: Text = ""
    audience: Texts = ()
    feedback: _Feedback = _Feedback()
    experiment: _Trial = _Trial()
    uplift: _Uplift | None = None
    budget: _Budget = _Budget()
    caps: _Caps = _Caps()


def load_campaigns(settings: Settings) -> list[Campaign]:
    """Every campaign, by name. Raises CampaignError for the first file that is wrong."""
    return [load_campaign(file) for file in sorted(folder_of(settings).glob("*.toml"))]


def load_campaign(file: Path) -> Campaign:
    """Reads and checks one TOML. Raises CampaignError naming the file and the key."""
    content = parsed(file, CampaignError)
    if not NAME.fullmatch(file.stem):
        raise wrong(file, "file", f"a name like {NAME.pattern}.toml", file.name, CampaignError)
    found = checked(file, content, _File, CampaignError)
    campaign = Campaign(
        name=file.stem,
        file=file,
        arms=tuple(Arm(name, arm.campaign_id or name, arm.retired) for name, arm in found.arms.items()),
        champion=found.champion.named(),
        challenger=found.challenger.named() if found.challenger else None,
        reward=found.reward,
        exploration_floor=found.exploration_floor,
        positions=tuple(sorted(found.positions.items(), key=lambda place: -place[1])) or ANYWHERE,
        consent=found.people.consent,
        exclude=found.people.exclude,
        segment_by=found.segment_by,
        audience=found.audience,
        uplift=(found.uplift.control, found.uplift.treatment) if found.uplift else None,
        feedback_days=found.feedback.days,
        judge_days=found.feedback.judge_days,
        most_refused=found.feedback.most_refused,
        daily_impressions=found.budget.daily_impressions,
        total_impressions=found.budget.total_impressions,
        first_day=found.budget.first_day,
        cap_per_day=found.caps.per_day,
        cap_per_week=found.caps.per_week,
        experiment_share=found.experiment.share,
    )
    _check(campaign)
    return campaign


def _check(campaign: Campaign) -> None:
    """What several tables say together."""

    def refuse(key: str, words: str, found: object) -> None:
        raise wrong(campaign.file, key, words, found, CampaignError)

    names, ids = [arm.name for arm in campaign.arms], [arm.campaign_id for arm in campaign.arms]
    if len(set(ids)) < len(ids):
        refuse("arms.campaign_id", "one arm for each", ids)
    arms, floor, pair = len(campaign.active), campaign.exploration_floor, campaign.uplift
    if arms < 2:
        refuse("arms", "at least two that are not retired", names)
    if floor * arms > 1:
        refuse("exploration_floor", f"at most 1/{arms} for {arms} arms", floor)
    if campaign.cap_per_week and campaign.feedback_days < WEEK:
        refuse("feedback.days", f"at least {WEEK} with caps.per_week", campaign.feedback_days)
    if campaign.experiment_share and campaign.challenger is None:
        refuse("experiment", "a [challenger] to try", campaign.experiment_share)
    if pair and (not set(pair) <= set(names) or pair[0] == pair[1]):
        refuse("uplift", f"two of the arms {', '.join(names)}", pair)
    beta = [p for p in (campaign.champion, campaign.challenger) if p and p.name == "thompson_beta"]
    if beta and campaign.reward.value != "one":
        refuse("reward.value", '"one" with thompson_beta', campaign.reward.value)
