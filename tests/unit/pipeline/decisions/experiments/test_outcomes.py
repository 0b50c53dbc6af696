"""Experiment files, who entered, what they did in their days, and the verdicts."""

import polars as pl
import pytest

from pipeline.decisions.experiments import outcomes as module
from pipeline.decisions.experiments.analysis import analyse
from pipeline.decisions.experiments.experiment import Experiment, load_experiment
from pipeline.decisions.experiments.outcomes import outcomes
from pipeline.runtime.errors import ExperimentError

TOML = """
first_day = 2024-03-01
last_day = 2024-03-10
window_days = 3
entry = "view"
[arms]
control = 0.5
treatment = 0.5
[metrics.buyers]
event = "purchase"
role = "primary"
least_gain = 0.05
[metrics.revenue]
event = "purchase"
value = "revenue"
least_gain = 2
[metrics.returns]
event = "return"
value = "events"
role = "guardrail"
better = "lower"
least_gain = 0.1
"""


def declared(home, text: str = TOML) -> Experiment:
    folder = home.home / "experiments"
    folder.mkdir(exist_ok=True)
    (folder / "banner.toml").write_text(text)
    return load_experiment(home, "banner")


def test_everything_is_read(home) -> None:
    found = declared(home)
    assert found.arms == (("control", 0.5), ("treatment", 0.5))
    assert (found.salt, found.entry, found.window_days) == ("banner", "view", 3)
    assert found.primary.name == "buyers"
    assert [(it.value, it.role, it.better) for it in found.metrics] == [
        ("users", "primary", "higher"),
        ("revenue", "secondary", "higher"),
        ("events", "guardrail", "lower"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("window_days", "windw_days", "windw_days: expected no such key"),
        ("treatment = 0.5", "treatment = 0.7", "arms: expected a control and a treatment"),
        ('role = "primary"', "", "role: expected exactly one primary"),
        ("metrics.returns", "metrics.done", "metrics.done: expected another name"),
        ("metrics.returns", "metrics.revenue_before", "revenue_before: expected another name"),
        ("least_gain = 2", "", "metrics.revenue.least_gain: expected an absolute gain"),
        ('"lower"', '"less"', "metrics.returns.better: expected one of higher, lower"),
        ("2024-03-10", "2024-02-10", "first_day, last_day: expected two days in order"),
    ],
)
def test_what_is_wrong_is_named(home, old: str, new: str, message: str) -> None:
    with pytest.raises(ExperimentError, match=message):
        declared(home, TOML.replace(old, new, 1))


def event(user: str, day: int, kind: str, **more: float) -> dict[str, object]:
    return {
        "ds": f"2024-03-{day:02d}" if day > 0 else f"2024-02-{29 + day:02d}",
        "user_id": user,
        "event_type": kind,
        **more,
    }


SCHEMA = {
    "ds": pl.String,
    "user_id": pl.String,
    "event_type": pl.String,
    "quantity": pl.Float64,
    "price": pl.Float64,
}


def found_in(experiment: Experiment, ds: str, *events: dict) -> dict[str, dict]:
    frame = pl.DataFrame(list(events), schema=SCHEMA).lazy()
    return {row["user_id"]: row for row in outcomes(frame, experiment, ds).to_dicts()}


def test_a_user_counts_for_the_days_after_entry_once_they_are_over(home) -> None:
    found = found_in(
        declared(home),
        "2024-03-06",
        event("a", 0, "purchase", quantity=1, price=7),  # the day before entry
        event("a", 1, "view"),
        event("a", 3, "purchase", quantity=2, price=5),
        event("a", 2, "view"),  # has entered already
        event("a", 4, "purchase", quantity=9, price=9),  # a day too late
        event("a", 2, "return"),
        event("a", 3, "return"),
        event("b", 4, "view"),  # done with the 6th
        event("c", 5, "view"),  # not yet
        event("d", 2, "purchase", quantity=1, price=1),  # never entered
        event("e", -3, "view"),  # before the experiment
    )
    assert set(found) == {"a", "b"}
    assert {name: found["a"][name] for name in ("buyers", "revenue", "returns")} == {
        "buyers": 1,
        "revenue": 10,
        "returns": 2,
    }
    assert found["a"]["revenue_before"] == 7
    assert (str(found["a"]["entry"]), str(found["a"]["done"])) == ("2024-03-01", "2024-03-04")
    assert (found["b"]["buyers"], found["b"]["revenue_before"]) == (0, 0)


def of_arms(users: int, effect: float) -> pl.DataFrame:
    """Half of the users in each arm, done 1 to 10 March; a fifth buys, and `effect` more."""
    number = pl.int_range(users)
    frame = pl.select(
        user_id=number.cast(pl.String),
        arm=(number % 2).cast(pl.Int8),
        done=pl.date(2024, 3, 1) + pl.duration(days=number * 10 // users),
        chance=(number * 0.6180339887) % 1,
    )
    buys = (pl.col("chance") < 0.2 + effect * pl.col("arm")).cast(pl.Float64)
    return frame.with_columns(
        buyers=buys,
        buyers_before=pl.lit(0.0),
        revenue=buys * 30,
        revenue_before=pl.lit(0.0),
        returns=buys,
        returns_before=pl.lit(0.0),
    )


def test_verdicts(home) -> None:
    experiment = declared(home)
    same = analyse(experiment, of_arms(20_000, 0.0), "2024-03-10")
    assert same.trusted
    assert [it.verdict for it in same.metrics] == ["open", "open", "safe"]
    more = analyse(experiment, of_arms(20_000, 0.15), "2024-03-10")
    assert [it.verdict for it in more.metrics] == ["better", "better", "broken"]
    buyers = more.metrics[0]
    assert buyers.plain.value == pytest.approx(0.15, abs=0.01)
    assert len(buyers.days) == len(buyers.p_values) == 10
    assert (buyers.days[0], buyers.days[-1]) == ("2024-03-01", "2024-03-10")
    assert buyers.p_values == sorted(buyers.p_values, reverse=True)


def test_a_sample_ratio_that_is_off_is_not_trusted(home) -> None:
    users = of_arms(20_000, 0.1)
    some = users.filter((pl.col("arm") == 0) | (pl.col("chance") > 0.1))
    found = analyse(declared(home), some, "2024-03-10")
    assert not found.trusted
    assert found.users == (10_000, some.filter(pl.col("arm") == 1).height)
    assert 8_900 < found.users[1] < 9_100


def test_nobody_yet(home) -> None:
    found = analyse(declared(home), of_arms(20, 0.0).clear(), "2024-03-10")
    assert (found.users, found.metrics[0].p_value, found.metrics[0].verdict) == (
        (0, 0),
        1.0,
        "open",
    )
    with pytest.raises(ExperimentError, match=r"no events of 2024-02-27\.\.2024-03-10 are published"):
        module.read_outcomes(declared(home), home, "2024-03-10")
