"""One campaign's night: feedback, decision, the rows of tomorrow, and the reason for them."""

from dataclasses import dataclass
from datetime import date
from functools import cache
from zlib import crc32

import numpy as np
import polars as pl
import pyarrow as pa

from pipeline.decisions.bandits.specification import CHAMPION, Policy
from pipeline.decisions.campaigns.audience import Audience, audience_of
from pipeline.decisions.campaigns.campaign import WEEK, Campaign
from pipeline.decisions.campaigns.contexts import columns_of, logged_contexts
from pipeline.decisions.campaigns.decide import ESTIMATOR, UNTIL_SOUND, Decision, decide
from pipeline.decisions.campaigns.feedback import (
    MEANINGS,
    Feedback,
    impressions_since,
    read_feedback,
    refuse_if_bad,
)
from pipeline.decisions.campaigns.learned import Lesson, learn
from pipeline.decisions.campaigns.published_policy import (
    check_arms,
    in_place,
    probabilities_in_place,
    shares_of_occasions,
)
from pipeline.decisions.campaigns.serve import Limits, Variant, limits_of, serve
from pipeline.runtime.days import day_range, shift
from pipeline.runtime.errors import CampaignError, FeedbackError
from pipeline.runtime.settings import Settings

NAMED = 3  # refused events per reason


@dataclass(frozen=True)
class Night:
    """All that is decided before the first user is served."""

    campaign: Campaign
    ds: str
    feedback: Feedback
    decision: Decision
    label: str
    variants: list[Variant]
    audience: Audience
    limits: Limits

    def rows(self, users: pl.DataFrame) -> pa.Table:
        """Rows of `ad_policy` for a batch of users."""
        return serve(self.campaign, users, self.audience, self.variants, self.limits, self.ds)

    def judgement(self, users: int, excluded: int) -> dict[str, object]:
        """The row of `policy_judgements`."""
        decision, rows = self.decision, self.feedback.rows
        challenger = decision.challenger.label if decision.challenger else None
        return {
            "ds": self.ds,
            "campaign": self.campaign.name,
            "policy": self.label,
            "challenger": challenger,
            "decision": decision.decision,
            "reason": decision.reason,
            **_gain(decision),
            "impressions": len(rows),
            "pending": self.feedback.pending,
            "refused": self.feedback.refusals,
            "refused_events": _named(self.feedback),
            "reward": rows["reward"].mean(),
            "users": users,
            "excluded_users": excluded,
        }


def prepare(campaign: Campaign, settings: Settings, ds: str) -> Night:
    """Reads the feedback and decides. Raises CampaignError where the campaign's file is wrong.

    Feedback that cannot be right leaves the policy in place, with the reason in the judgement.
    """
    _check_segment(campaign)
    audience, at = audience_of(campaign, settings, ds), in_place(campaign, settings, ds)
    check_arms(campaign, settings, at)
    published = cache(lambda: probabilities_in_place(campaign, settings, at))
    _, feedback = read_feedback(campaign, settings, ds)
    seed = crc32(f"{campaign.name} {ds}".encode())
    lesson, propensity = lesson_of(campaign, feedback, settings, ds)
    try:
        refuse_if_bad(campaign, feedback)
        decision = decide(campaign, at.label, lesson, propensity, published, seed)
        label = decision.policy.label
        serving = [decision.policy]
        if decision.decision == "experiment" and decision.challenger:
            serving.append(decision.challenger)
    except FeedbackError as error:
        label = at.label or UNTIL_SOUND
        decision = Decision(Policy(CHAMPION), campaign.challenger, "refused", str(error))
        serving = [decision.policy]
    learned = [learn(policy, lesson, campaign, seed, published) for policy in serving]
    labels = [label, *(policy.label for policy in serving[1:])]
    variants = [Variant(*it) for it in zip(labels, learned, strict=True)]
    first = campaign.first_day
    spent = impressions_since(campaign, settings, first, ds) if first else 0
    week = day_range(shift(ds, 1 - WEEK), ds) if campaign.has_budget else []
    shares = shares_of_occasions(campaign, settings, week)
    limits = limits_of(campaign, feedback.seen, spent, ds, shares)
    return Night(campaign, ds, feedback, decision, label, variants, audience, limits)


def _check_segment(campaign: Campaign) -> None:
    try:
        columns_of(campaign.segment_by)
    except CampaignError as error:
        raise CampaignError(f"{campaign.file}: {error}") from None


def lesson_of(campaign: Campaign, feedback: Feedback, settings: Settings, ds: str) -> tuple[Lesson, np.ndarray]:
    """The impressions to learn from, and their propensities."""
    rows, today = feedback.rows, date.fromisoformat(ds)
    known = logged_contexts(rows, campaign.segment_by, settings)
    ages = {day: (today - date.fromisoformat(day)).days for day in rows["ds"].unique()}
    lesson = Lesson(
        rows["user_id"].to_numpy(),
        known.segments,
        known.features,
        rows["arm"].to_numpy(),
        rows["reward"].to_numpy(),
        rows["examined"].to_numpy(),
        rows["ds"].replace_strict(ages, return_dtype=pl.Int64).to_numpy(),
    )
    return lesson, rows["propensity"].to_numpy()


def _gain(decision: Decision) -> dict[str, float | None]:
    """A log that cannot judge gives no gain: of a few users it would tell what they spent."""
    nothing: dict[str, float | None] = dict.fromkeys(("gain", "gain_low", "gain_high", "effective_impressions"))
    if decision.verdict is None:
        return nothing
    found = {"effective_impressions": decision.verdict.diagnostics.effective_rows}
    if not decision.verdict.refusal:
        low, high = decision.bounds
        found |= {"gain": decision.verdict.estimates[ESTIMATOR].value, "gain_low": low, "gain_high": high}
    return nothing | {name: value for name, value in found.items() if np.isfinite(value)}


def _named(feedback: Feedback) -> list[str]:
    return [f"{MEANINGS[reason]}: {event}" for reason, ids in sorted(feedback.refused.items()) for event in ids[:NAMED]]
