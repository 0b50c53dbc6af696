"""Why a user is listed, in words made of what was seen."""

from collections.abc import Callable
from typing import Any

from pipeline.runtime.wording import number, percent

LOOKED = {"view": "looked at it", "cart": "put it into the cart", "favorite": "noted it"}


def reason(kind: str, seen: dict[str, Any]) -> str:
    """One sentence without a full stop, from a row's evidence."""
    return REASONS[kind](seen)


def _fading(seen: dict[str, Any]) -> str:
    return (
        f"usually here every {number(round(seen['usual_gap_days'], 1), 'day')}, "
        f"silent for {number(seen['days_silent'], 'day')}: unusual for this user "
        f"({seen['fading']:.2f} of 1)"
    )


def _return(seen: dict[str, Any]) -> str:
    chance = percent(seen["p_return_28d"])
    return f"bought it on {seen['bought_ds']}; sends something back within 28 days: {chance}"


def _drop(seen: dict[str, Any]) -> str:
    return (
        f"{LOOKED[seen['looked_as']]} on {seen['looked_ds']} at {seen['price_seen']:,.2f} and did "
        f"not buy it; {seen['price_now']:,.2f} now, at least {percent(seen['score'])} less than "
        "then and than on the nights before"
    )


def _due(seen: dict[str, Any]) -> str:
    every = number(round(seen["cycle_days"]), "day")
    return f"buys it every {every}, due again on {seen['due_ds']}"


REASONS: dict[str, Callable[[dict[str, Any]], str]] = {
    "fading_regular": _fading,
    "return_risk": _return,
    "price_drop": _drop,
    "due_again": _due,
}
