"""The tables of campaigns: who is shown what tomorrow, and why this policy decides it."""

from pipeline.runtime.settings import Settings
from pipeline.tables.columns import DS, USER_ID
from pipeline.tables.schema import (
    DOUBLE,
    FLOAT,
    FOREVER,
    INT,
    LONG,
    STRING,
    TEXTS,
    Column,
    Keep,
    RowRule,
    Table,
    list_of,
)

ARM_CHANCES = list_of(arm=STRING, probability=FLOAT)
CAMPAIGN_NAME = r"^[a-z][a-z0-9_]*$"
DECISIONS = ("unchallenged", "kept", "replaced", "experiment", "refused")

CAMPAIGN = Column("campaign", STRING, "name of the campaign", True, pattern=CAMPAIGN_NAME)


def _ad_policy(settings: Settings) -> list[RowRule]:
    who = ("campaign", "user_id", "policy")
    return [
        ("probabilities sum to 1", f"abs(list_sum({CHANCES}) - 1) < {SUM_TOLERANCE}", who),
        ("no probability is negative", f"list_min({CHANCES}) >= 0", who),
        ("arms are distinct", f"list_unique({ARMS}) = len(arms)", who),
    ]


AD_POLICY = Table(
    "ad_policy",
    "how likely each user is to be shown each creative on the day after `ds`; who has no row is "
    "shown nothing: there is no consent, or an exclusion",
    (
        DS,
        CAMPAIGN,
        USER_ID,
        Column("segment", STRING, "segment whose feedback decides", nulls="without segments"),
        Column("policy", STRING, "the policy with its unusual settings", True),
        Column("variant", STRING, "whose probabilities these are", True,
               values=("champion", "challenger")),
        Column("arms", ARM_CHANCES, "probability of each creative, given that the campaign is "
               "shown: the propensity to log with the impression", True),
        Column("position", STRING, "where to show it", True),
        Column("show_probability", FLOAT, "share of occasions on which the campaign may be shown "
               "at all, so that the budget lasts", True, "probability", 0, 1),
        Column("impressions_left", INT, "most impressions on that day under the frequency caps",
               nulls="without caps", unit="impressions", minimum=0),
    ),
    key=("campaign", "user_id"),
    keep=Keep(14, 8),  # what was shown in the week of an impression
    snapshot=True,
    rules=_ad_policy,
)  # fmt: skip

SUM_TOLERANCE = 1e-4  # of 32-bit probabilities
ARMS = "list_transform(arms, lambda a: a.arm)"
CHANCES = "list_transform(arms, lambda a: a.probability)"


def _gain(name: str, meaning: str) -> Column:
    return Column(name, DOUBLE, meaning, nulls="where nothing was judged, and of a gain where the log cannot judge")


def _policy_judgements(settings: Settings) -> list[RowRule]:
    why = ("campaign", "decision", "gain_low")
    return [
        (
            "a challenger takes over only where its gain is certain",
            "decision <> 'replaced' OR gain_low > 0",
            why,
        ),
        (
            "gain_low <= gain <= gain_high",
            "gain IS NULL OR (gain_low <= gain AND gain <= gain_high)",
            why,
        ),
    ]


POLICY_JUDGEMENTS = Table(
    "policy_judgements",
    "why a policy serves a campaign: what the log says of the challenger against the champion",
    (
        DS,
        CAMPAIGN,
        Column("policy", STRING, "the policy that serves from now on", True),
        Column("challenger", STRING, "the policy that was held against it", nulls="without one"),
        Column("decision", STRING, "what came of it", True, values=DECISIONS),
        Column("reason", STRING, "why", True),
        _gain("gain", "reward per impression that the challenger adds, doubly robust"),
        _gain("gain_low", "lower bound of the gain: the lower one of two 95% intervals"),
        _gain("gain_high", "upper bound of the gain: the upper one of two 95% intervals"),
        _gain("effective_impressions", "effective sample size under the challenger"),
        Column("impressions", LONG, "impressions of the log that count", True, "impressions", 0),
        Column("pending", LONG, "impressions that may still be answered", True, "impressions", 0),
        Column("refused", LONG, "rows of the log that cannot be right", True, "rows", 0),
        Column("refused_events", TEXTS, "some of those, by reason", True),
        Column("reward", DOUBLE, "mean reward per impression of the log", nulls="without any"),
        Column("users", LONG, "users who may be shown the campaign", True, "users", 0),
        Column("excluded_users", LONG, "users of the day who must not", True, "users", 0),
    ),
    key=("campaign",),
    keep=FOREVER,  # a few rows that say why
    snapshot=True,
    rules=_policy_judgements,
)  # fmt: skip

POLICY_TABLES = (AD_POLICY, POLICY_JUDGEMENTS)
