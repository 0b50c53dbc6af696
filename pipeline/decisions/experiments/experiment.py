"""Experiment files: one TOML per experiment in `$TIDEMARK_HOME/experiments/`.

`docs/reference/experiments.md` explains every key. The first arm is the control.
"""

import re
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator
from pydantic.dataclasses import dataclass as table

from pipeline.runtime.errors import ExperimentError
from pipeline.runtime.settings import Settings
from pipeline.runtime.toml_file import (
    TABLE,
    AboveZero,
    Day,
    Expected,
    Real,
    Share,
    Text,
    checked,
    expected,
    must,
    one_of,
    parsed,
    wrong,
)
from pipeline.tables.columns import EVENT_TYPES
from pipeline.tables.interventions import KINDS

NAME = re.compile(r"[a-z][a-z0-9_]*")
LISTED = "intervention"  # entry by being listed for any reason; or for one, by its name
VALUES = ("users", "events", "revenue")
ENTRIES = (*EVENT_TYPES, LISTED, *KINDS)
ROLES = ("primary", "guardrail", "secondary")
BETTER = ("higher", "lower")
TAKEN = ("user_id", "day", "enters", "entry", "done", "arm")  # columns of outcomes
BEFORE = "_before"  # of a metric's column: the same before entry


@dataclass(frozen=True)
class Metric:
    """What is measured of each user: having any such event, their number, or their revenue.

    `least_gain` is the absolute gain worth seeing; a guardrail must not lose more than that.
    """

    name: str
    event: str
    value: str
    role: str
    better: str
    least_gain: float


@dataclass(frozen=True)
class Experiment:
    """Users enter with their first `entry` event of [first_day, last_day], or by being listed."""

    name: str
    file: Path
    arms: tuple[tuple[str, float], ...]
    metrics: tuple[Metric, ...]
    first_day: str
    last_day: str
    window_days: int
    salt: str
    entry: str  # an event type, a kind of intervention, or LISTED; empty: any event

    @property
    def by_list(self) -> bool:
        """Whether users enter by being listed in `interventions`."""
        return self.entry in (LISTED, *KINDS)

    @property
    def primary(self) -> Metric:
        return next(metric for metric in self.metrics if metric.role == "primary")


def _free(name: str) -> bool:
    return bool(NAME.fullmatch(name)) and name not in TAKEN and not name.endswith(BEFORE)


@table(frozen=True, config=TABLE)
class _MetricTable:
    event: Annotated[Text, one_of(EVENT_TYPES)]
    least_gain: Annotated[Real, Field(gt=0, lt=inf), Expected("an absolute gain above 0 worth seeing")]
    value: Annotated[Text, one_of(VALUES)] = "users"
    role: Annotated[Text, one_of(ROLES)] = "secondary"
    better: Annotated[Text, one_of(BETTER)] = "higher"


def _two_arms(arms: dict[str, float]) -> bool:
    return len(arms) == 2 and min(arms.values()) > 0 and sum(arms.values()) <= 1 + 1e-9


def _one_primary(metrics: dict[str, _MetricTable]) -> dict[str, _MetricTable]:
    roles = [metric.role for metric in metrics.values()]
    if roles.count("primary") != 1:
        raise expected("exactly one primary metric", roles, "role")
    return metrics


@table(frozen=True, config=TABLE)
class _File:
    first_day: Day
    last_day: Day
    arms: Annotated[dict[str, Share], must(_two_arms, "a control and a treatment, together at most 1")]
    metrics: Annotated[
        dict[Annotated[str, must(_free, f"another name like {NAME.pattern}")], _MetricTable],
        AfterValidator(_one_primary),
    ]
    window_days: AboveZero = 7
    salt: Text = ""
    entry: Annotated[Text, one_of(ENTRIES)] = ""

    @model_validator(mode="after")
    def _in_order(self) -> "_File":
        if self.last_day < self.first_day:
            raise expected("two days in order", (self.first_day, self.last_day), "first_day, last_day")
        return self


def load_experiment(settings: Settings, name: str) -> Experiment:
    """Reads and checks one TOML. Raises ExperimentError naming the file and the key."""
    file = settings.home / "experiments" / f"{name}.toml"
    content = parsed(file, ExperimentError)
    if not NAME.fullmatch(name):
        raise wrong(file, "file", f"a name like {NAME.pattern}.toml", file.name, ExperimentError)
    found = checked(file, content, _File, ExperimentError)
    return Experiment(
        name,
        file,
        tuple(found.arms.items()),
        tuple(Metric(name, **vars(metric)) for name, metric in found.metrics.items()),
        found.first_day,
        found.last_day,
        window_days=found.window_days,
        salt=found.salt or name,
        entry=found.entry,
    )
