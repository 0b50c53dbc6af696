"""The table of interventions: whom to turn to tomorrow, why, and what to do."""

from functools import partial

from pipeline.runtime.settings import Settings
from pipeline.tables.columns import DAY, DS, USER_ID
from pipeline.tables.schema import BOOL, DOUBLE, FLOAT, FOREVER, INT, STRING, Column, RowRule, Table

KINDS = ("fading_regular", "return_risk", "price_drop", "due_again")
LOOKS = ("view", "cart", "favorite")

# Evidence: what was seen, of the rows of one kind.
_fading = partial(Column, nulls="unless fading_regular", minimum=0)
_return = partial(Column, nulls="unless return_risk")
_drop = partial(Column, nulls="unless price_drop")
_price = partial(_drop, type=DOUBLE, unit="platform currency", minimum=0)
_due = partial(Column, nulls="unless due_again")

EVIDENCE = {
    "fading_regular": ("usual_gap_days", "days_silent", "fading"),
    "return_risk": ("item_id", "p_return_28d", "bought_ds"),
    "price_drop": ("item_id", "looked_as", "looked_ds", "price_seen", "price_before", "price_now"),
    "due_again": ("item_id", "due_ds", "cycle_days", "p_purchase_7d"),
}


WHO = ("user_id", "kind")


def _interventions(settings: Settings) -> list[RowRule]:
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


INTERVENTIONS = Table(
    "interventions",
    "early warnings: users to turn to on the day after `ds`, with reason and suggested action; who "
    "has no row is left alone",
    (
        DS,
        USER_ID,
        Column("kind", STRING, "what was noticed", True, values=KINDS),
        Column("item_id", STRING, "the item that is meant", nulls="of fading_regular"),
        Column("score", FLOAT, "what orders the rows of a kind. fading_regular: `fading`; "
               "return_risk: `p_return_28d`; price_drop: share by which `price_now` is below the "
               "lower one of `price_seen` and `price_before`; due_again: `p_purchase_7d`",
               True, "share", 0, 1),
        Column("place", INT, "1 for the best of its kind that night", True, minimum=1),
        Column("reason", STRING, "why, in words", True),
        Column("suggested_action", STRING, "what to do, as declared", nulls="for who is held out"),
        Column("held_out", BOOL, "listed to be compared with, not to be contacted", True),
        Column("expires_ds", STRING, "last day on which to act", True, pattern=DAY),
        Column("contacts_6d", INT, "logged ad impressions and earlier interventions of the six "
               "days up to `ds`", True, "contacts", 0),
        _fading("usual_gap_days", FLOAT, "usual days between active days", unit="days"),
        _fading("days_silent", INT, "days since the last active day", unit="days"),
        _fading("fading", FLOAT, "how unusual the silence is for this user", maximum=1),
        _return("p_return_28d", FLOAT, "something comes back within 28 days", unit="probability",
                minimum=0, maximum=1),
        _return("bought_ds", STRING, "day on which the item was bought", pattern=DAY),
        _drop("looked_as", STRING, "how the item was last looked at", values=LOOKS),
        _drop("looked_ds", STRING, "day of that look", pattern=DAY),
        _price("price_seen", meaning="price of one piece at that look"),
        _price("price_before", meaning="lowest price of the nights before"),
        _price("price_now", meaning="price of the night"),
        _due("due_ds", STRING, "day on which the item is due", pattern=DAY),
        _due("cycle_days", FLOAT, "days from one purchase to the next", unit="days", minimum=0),
        _due("p_purchase_7d", FLOAT, "a purchase within 7 days", unit="probability",
             minimum=0, maximum=1),
    ),
    key=("user_id", "kind"),
    keep=FOREVER,  # who was listed: experiments count them from their first day
    snapshot=True,
    rules=_interventions,
)  # fmt: skip

INTERVENTION_TABLES = (INTERVENTIONS,)
