"""Rules across the columns of a row of the campaign tables; see `pipeline/tables/rules.py`."""

from pipeline.runtime.settings import Settings

SUM_TOLERANCE = 1e-4  # of 32-bit probabilities
ARMS = "list_transform(arms, lambda a: a.arm)"
CHANCES = "list_transform(arms, lambda a: a.probability)"


def ad_policy(settings: Settings) -> list[tuple[str, str, tuple[str, ...]]]:
    who = ("campaign", "user_id", "policy")
    return [
        ("probabilities sum to 1", f"abs(list_sum({CHANCES}) - 1) < {SUM_TOLERANCE}", who),
        ("no probability is negative", f"list_min({CHANCES}) >= 0", who),
        ("arms are distinct", f"list_unique({ARMS}) = len(arms)", who),
    ]


def policy_judgements(settings: Settings) -> list[tuple[str, str, tuple[str, ...]]]:
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


POLICY_RULES = {"ad_policy": ad_policy, "policy_judgements": policy_judgements}
