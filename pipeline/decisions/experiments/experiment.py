"""Experiment files: one TOML per experiment in `$TIDEMARK_HOME/experiments/`.

`docs/policy.md` explains every key. The first arm is the control.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from pipeline.runtime.errors import ExperimentError
from pipeline.runtime.settings import Settings
from pipeline.runtime.toml_section import Section, open_toml
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
TOP = ("first_day", "last_day", "window_days", "salt", "entry", "arms", "metrics")


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


def load_experiment(settings: Settings, name: str) -> Experiment:
    """Reads and checks one TOML. Raises ExperimentError naming the file and the key."""
    file = settings.home / "experiments" / f"{name}.toml"
    top = open_toml(file, ExperimentError)
    if not NAME.fullmatch(name):
        raise top.wrong("file", f"a name like {NAME.pattern}.toml", file.name)
    first, last = top.day("first_day"), top.day("last_day")
    if not first or not last or last < first:
        raise top.wrong("first_day, last_day", "two days in order", (first, last))
    experiment = Experiment(
        name,
        file,
        _arms(top.section("arms")),
        _metrics(top.section("metrics")),
        first,
        last,
        window_days=top.whole("window_days", 7),
        salt=top.text("salt", default=name),
        entry=_one_of(top, "entry", ENTRIES, None) if top.has("entry") else "",
    )
    top.nothing_else(TOP)
    if not experiment.window_days:
        raise top.wrong("window_days", "a whole number from 1", 0)
    return experiment


def _arms(section: Section) -> tuple[tuple[str, float], ...]:
    arms = tuple((name, section.share(name, 0.0)) for name in section.left())
    shares = [share for _, share in arms]
    if len(arms) != 2 or min(shares) <= 0 or sum(shares) > 1 + 1e-9:
        raise section.wrong("arms", "a control and a treatment, together at most 1", dict(arms))
    return arms


def _metrics(section: Section) -> tuple[Metric, ...]:
    metrics = []
    for name in section.left():
        if not NAME.fullmatch(name) or name in TAKEN or name.endswith(BEFORE):
            raise section.wrong(name, f"another name like {NAME.pattern}", name)
        metric = section.section(name)
        metrics.append(
            Metric(
                name,
                _event(metric, "event"),
                _one_of(metric, "value", VALUES, "users"),
                _one_of(metric, "role", ROLES, "secondary"),
                _one_of(metric, "better", BETTER, "higher"),
                metric.number("least_gain", 0.0),
            )
        )
        metric.nothing_else(("event", "value", "role", "better", "least_gain"))
        if not metrics[-1].least_gain:
            raise metric.wrong("least_gain", "an absolute gain above 0 worth seeing", 0)
    if sum(metric.role == "primary" for metric in metrics) != 1:
        raise section.wrong("role", "exactly one primary metric", [m.role for m in metrics])
    return tuple(metrics)


def _event(section: Section, key: str) -> str:
    return _one_of(section, key, EVENT_TYPES, None)


def _one_of(section: Section, key: str, known: tuple[str, ...], default: str | None) -> str:
    found = section.text(key, default=default)
    if found not in known:
        raise section.wrong(key, f"one of {', '.join(known)}", found)
    return found
