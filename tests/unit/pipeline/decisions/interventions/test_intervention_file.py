"""`interventions.toml`: what is read, and the message for what can be wrong in it."""

import pytest

from pipeline.decisions.interventions.declaration import Kind, load_declaration
from pipeline.runtime.errors import CampaignError
from tests.unit.pipeline.decisions.interventions.intervention_home import declare, kind

FILE = """
holdout = 0.1
[people]
consent = "yes.csv"
exclude = ["no.csv"]
[caps]
per_day = 4
per_week = 12
[price_drop]
action = "tell the price"
daily_budget = 200
cool_down_days = 7
valid_days = 2
least_drop = 0.15
looked_within_days = 21
[fading_regular]
action = "write a note"
daily_budget = 50
[return_risk]
enabled = false
action = "offer help"
daily_budget = 10
"""


def test_everything_is_read(home) -> None:
    assert load_declaration(home) is None
    (home.home / "interventions.toml").write_text(FILE)
    found = load_declaration(home)
    assert found is not None
    assert found.kinds == (
        Kind("price_drop", "tell the price", 200, 7, 2, {"least_drop": 0.15, "looked_within_days": 21}),
        Kind("fading_regular", "write a note", 50, 28, 3, {"least_fading": 0.9, "most_silent_days": 84}),
    )
    assert (found.people.consent, found.people.exclude) == ("yes.csv", ("no.csv",))
    assert (found.holdout, found.per_day, found.per_week) == (0.1, 4, 12)
    assert found.interventions_per_day == 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("holdout", "hold_out", "hold_out: expected one of holdout, people, caps, fading_regular"),
        ("[price_drop]", "[price_drops]", "price_drops: expected one of"),
        ("least_drop", "least_dorp", "price_drop.least_dorp: expected no such key; known are"),
        ("per_week", "per_month", "caps.per_month: expected no such key"),
        ("per_day = 4", "per_day = 0", "caps.per_day: expected a whole number from 1, found 0"),
        ("exclude", "exlude", "people.exlude: expected no such key"),
        ('consent = "yes.csv"', "", "people.consent: expected a text, found None"),
        ('action = "write a note"', "", "fading_regular.action: expected a text"),
        ("daily_budget = 50", "", "fading_regular.daily_budget: expected a whole number from 1"),
        ("0.15", "1.5", "price_drop.least_drop: expected a number from 0 to 1"),
        ("looked_within_days = 21", "looked_within_days = 0", "expected a whole number from 1"),
        ("enabled = false", 'enabled = "no"', "return_risk.enabled: expected true or false"),
        ("[people]", "[people", "not valid TOML"),
    ],
)
def test_what_is_wrong_is_named(home, old: str, new: str, message: str) -> None:
    file = home.home / "interventions.toml"
    file.write_text(FILE.replace(old, new, 1))
    with pytest.raises(CampaignError, match=message) as caught:
        load_declaration(home)
    assert str(file) in str(caught.value)


def test_people_must_be_declared(home) -> None:
    declare(home, kind("price_drop"), people="")
    with pytest.raises(CampaignError, match=r"people: expected a table \[people\]"):
        load_declaration(home)
