"""Rules across the columns of a row of the uplift tables; see `pipeline/tables/rules.py`."""

from pipeline.runtime.settings import Settings
from pipeline.tables.schema import RowRule

FIGURES = ("effect", "adjusted_effect", "qini", "auuc", "difference_p_value", "learner")


def user_uplift(settings: Settings) -> list[RowRule]:
    bounds = ("decile_low", "decile_effect", "decile_high")
    return [
        (
            "decile_low <= decile_effect <= decile_high",
            "decile_low <= decile_effect AND decile_effect <= decile_high",
            ("trial", "user_id", *bounds),
        ),
        ("uplift is a number", "isfinite(uplift)", ("trial", "user_id", "uplift")),
    ]


def uplift_judgements(settings: Settings) -> list[RowRule]:
    why = ("trial", "decision", "qini_low")
    none = " AND ".join(f"{name} IS NULL" for name in FIGURES)
    every = " AND ".join(f"{name} IS NOT NULL" for name in FIGURES)
    return [
        (
            "users are scored only where the ranking beats chance for sure",
            "(decision = 'scored') = coalesce(qini_low > 0, false)",
            why,
        ),
        ("no scored user without that", "decision = 'scored' OR scored_users = 0", why),
        (
            "figures unless refused",
            f"CASE WHEN decision = 'refused' THEN {none} ELSE {every} END",
            ("trial", "decision", *FIGURES),
        ),
        *(
            (f"{low} <= {high}", f"{low} IS NULL OR {low} <= {high}", ("trial", low, high))
            for low, high in (("effect_low", "effect_high"), ("adjusted_low", "adjusted_high"),
                              ("qini_low", "qini_high"))
        ),
    ]  # fmt: skip


UPLIFT_RULES = {"user_uplift": user_uplift, "uplift_judgements": uplift_judgements}
