"""Rules across the columns of a row of `interventions`; see `pipeline/tables/rules.py`."""

from pipeline.runtime.settings import Settings
from pipeline.tables.schema import RowRule

EVIDENCE = {
    "fading_regular": ("usual_gap_days", "days_silent", "fading"),
    "return_risk": ("item_id", "p_return_28d", "bought_ds"),
    "price_drop": ("item_id", "looked_as", "looked_ds", "price_seen", "price_before", "price_now"),
    "due_again": ("item_id", "due_ds", "cycle_days", "p_purchase_7d"),
}
WHO = ("user_id", "kind")


def interventions(settings: Settings) -> list[RowRule]:
    drop = "price_now > 0 AND price_now < price_seen AND price_now < price_before"
    return [
        *[
            (
                f"{kind} has its evidence",
                f"kind <> '{kind}' OR ({' AND '.join(f'{name} IS NOT NULL' for name in seen)})",
                (*WHO, *seen),
            )
            for kind, seen in EVIDENCE.items()
        ],
        (
            "a price drop is below what was seen and what was before",
            f"kind <> 'price_drop' OR ({drop})",
            (*WHO, "price_seen", "price_before", "price_now"),
        ),
        (
            "who is held out has no action, everybody else has one",
            "held_out = (suggested_action IS NULL)",
            (*WHO, "held_out", "suggested_action"),
        ),
        ("expires_ds is after ds", "expires_ds > ds", (*WHO, "expires_ds")),
        ("reason is not empty", "trim(reason) <> ''", (*WHO, "reason")),
        (
            "nothing was seen later than ds",
            "coalesce(greatest(bought_ds, looked_ds) <= ds, true)",
            (*WHO, "bought_ds", "looked_ds"),
        ),
    ]


INTERVENTION_RULES = {"interventions": interventions}
