"""The evaluation of a challenger, as stored with its MLflow run. Import-light."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from training.registry.runs import artifact_folder

if TYPE_CHECKING:
    from mlflow import MlflowClient

REPORT = "evaluation/report.json"

Interval = tuple[float, float, float]  # figure, low, high: 95% over users


@dataclass(frozen=True)
class Verdict:
    """The best baseline for a question in a slice, compared with the published answer.

    `question` is a published list or a head; `gain` is paired by user; above zero the published answer is better.
    """

    question: str
    slice: str
    metric: str
    users: int
    best: str
    best_figure: Interval
    published: Interval
    gain: Interval


@dataclass(frozen=True)
class Group:
    """A group of users, or of items; `users` are those of the group who are ranked for, or who turned to its items."""

    side: str  # users or items
    by: str
    name: str
    users: int
    figures: dict[str, Interval]


@dataclass(frozen=True)
class Audit:
    """Every group's figures; `measures` are the figures that limits name, see `training.evaluation.fairness`."""

    groups: list[Group] = field(default_factory=list)
    measures: dict[str, Interval] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """Figures with 95% intervals; `gains` over the champion if there was one that could run."""

    ds: str
    users: int
    ranked_users: int
    rankings: dict[str, Interval]  # list/ranker/metric
    propensities: dict[str, Interval]  # head/metric
    champion: str | None = None
    gains: dict[str, Interval] = field(default_factory=dict)
    champion_fails: str = ""  # why the champion could not be run on this day
    propensity_baselines: dict[str, Interval] = field(default_factory=dict)  # head/classifier/metric
    verdicts: list[Verdict] = field(default_factory=list)
    slices: dict[str, Interval] = field(default_factory=dict)  # list/slice/ranker/metric
    weeks: dict[str, list[Interval]] = field(default_factory=dict)  # staleness, by week
    days: dict[str, list[float]] = field(default_factory=dict)  # staleness, NDCG@10 by day
    fairness: Audit | None = None  # None in reports of before


def kept(client: "MlflowClient", run_id: str) -> Report | None:
    """The report of a run, None if it was not evaluated."""
    path = artifact_folder(client, run_id, str(Path(REPORT).parent)) / Path(REPORT).name
    if not path.exists():
        return None
    content = json.loads(path.read_text())
    verdicts = [Verdict(**verdict) for verdict in content.pop("verdicts", [])]
    found = content.pop("fairness", None)
    fairness = Audit([Group(**group) for group in found["groups"]], found["measures"]) if found else None
    return Report(**content, verdicts=verdicts, fairness=fairness)


def of_list(report: Report, name: str, metric: str = "ndcg_10") -> dict[str, Interval]:
    """Ranker -> the metric's figures, for one published list; the best first."""
    found = {
        key.split("/")[1]: figures
        for key, figures in report.rankings.items()
        if key.startswith(f"{name}/") and key.endswith(f"/{metric}")
    }
    return dict(sorted(found.items(), key=lambda entry: -entry[1][0]))


def lists_of(report: Report) -> list[str]:
    """The published lists, in the order of the evaluation."""
    return list(dict.fromkeys(key.split("/")[0] for key in report.rankings))


def heads_of(report: Report) -> list[str]:
    """The propensities, in the order of the evaluation."""
    return list(dict.fromkeys(key.split("/")[0] for key in report.propensities))
