"""The trial that a campaign's log is: of every user the first impression, by logged propensity.

Later impressions of a user have seen the earlier ones; the first one has not.
"""

import polars as pl

from pipeline.decisions.campaigns.campaign import Campaign
from pipeline.decisions.campaigns.feedback import read_feedback, refuse_if_bad
from pipeline.decisions.uplift.inputs import COLUMNS, known_before, nights_before
from pipeline.decisions.uplift.trial import Trial, drawn
from pipeline.runtime.errors import FeedbackError, UpliftError
from pipeline.runtime.settings import Settings


def trial_name(campaign: Campaign) -> str:
    return f"campaign:{campaign.name}"


def measure(campaign: Campaign) -> str:
    """What the effect is on, in words."""
    event = campaign.reward.event
    return f"revenue of {event}" if campaign.reward.value == "revenue" else f"a {event}"


def campaign_trial(campaign: Campaign, settings: Settings, ds: str) -> Trial:
    """The declared treatment against the declared control, in the feedback up to `ds`.

    Raises UpliftError with the reason where there is nothing to learn from.
    """
    name = trial_name(campaign)
    _, feedback = read_feedback(campaign, settings, ds)
    try:
        refuse_if_bad(campaign, feedback)
    except FeedbackError as error:
        raise UpliftError(f"{name}: {error}") from None
    first = feedback.rows.unique("user_id", keep="first", maintain_order=True)
    first = first.with_columns(entry=_entry(settings))
    if first.is_empty():
        raise UpliftError(f"{name}: expected impressions of {ds} and before, found none")
    has = nights_before(first["entry"].to_numpy(), settings)
    if not has.any():
        raise UpliftError(
            f"{name}: features are known only after entry: no user_features of the week before "
            f"{first['entry'].min()!s} are published"
        )
    known = first.filter(pl.Series(has))
    seen = known.filter(pl.Series(drawn(known["user_id"].to_numpy(), name)))
    return _trial(name, campaign, seen, settings)


def _entry(settings: Settings) -> pl.Expr:
    """The day of an impression. It may have landed days later, when more was known of the user."""
    local = pl.col("event_time").dt.convert_time_zone(settings.business_tz)
    return pl.min_horizontal("ds", local.dt.to_string("%Y-%m-%d"))


def _trial(name: str, campaign: Campaign, first: pl.DataFrame, settings: Settings) -> Trial:
    assert campaign.uplift, "only campaigns that declare it are trials"
    control, treatment = campaign.uplift
    arms = [arm.name for arm in campaign.arms]
    numbers = [arms.index(control), arms.index(treatment)]
    shown = first.filter(pl.col("arm").is_in(numbers))
    who = shown["user_id"].to_numpy()
    return Trial(
        name,
        control,
        treatment,
        measure(campaign),
        who,
        shown["arm"].to_numpy() == numbers[1],
        shown["reward"].to_numpy().astype(float),
        shown["propensity"].to_numpy().astype(float),
        known_before(who, shown["entry"].to_numpy(), settings),
        COLUMNS,
        len(first),
    )
