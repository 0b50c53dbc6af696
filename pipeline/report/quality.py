"""Model quality over time: what the evaluations of registered versions found, from MLflow.

A champion is judged on a later window than it learned from, beside every baseline, on the same
users; the best baseline is picked on that window, which flatters the baselines.
"""

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote

from pipeline.runtime.errors import ModelError
from pipeline.runtime.settings import Settings

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

MODEL, RUN_TAG = "tidemark", "tidemark.run"  # as training registers and tags them
HOURLY = "hourly.base_version"  # tag of versions of an hour: judged by the hour after, not here
VERSIONS_SHOWN = 12
AUDIT = "test_fairness"  # prefix of the metrics of groups
LISTS = {
    "next_items": "next items: the first ten",
    "next_new_items": "next items new to the user: the first ten",
}
ORDER, CHANCE = "ndcg_10", "auc"


@dataclass(frozen=True)
class Judged:
    """One version on its test window. `baseline`: the best of the simple rankers or models."""

    version: str
    ds: str
    promoted: bool
    value: float
    low: float
    high: float
    baseline: float | None


@dataclass(frozen=True)
class Curve:
    """One question, over the versions that were trained, oldest first."""

    name: str
    metric: str
    points: list[Judged]


@dataclass(frozen=True)
class Names:
    """The metrics of one question in MLflow."""

    value: str
    low: str
    high: str
    gain: str  # over the best baseline


@dataclass(frozen=True)
class Trained:
    """When a version was trained, and by which run."""

    version: str
    run: str
    started: float  # seconds since 1970
    ended: float


@dataclass(frozen=True)
class Served:
    """NDCG@10 of one group of users, by the newest version that was audited."""

    by: str
    group: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Gap:
    """The groups of one attribute, best served first, and the gap between first and last if there are several."""

    version: str
    by: str
    groups: list[Served]
    gap: tuple[float, float, float] | None  # figure, low, high


@dataclass(frozen=True)
class Quality:
    """Curves of lists and of heads, when the versions were trained, and how the newest serves groups of users."""

    lists: list[Curve]
    heads: list[Curve]
    trained: list[Trained]
    gaps: list[Gap] = field(default_factory=list)


def quality(settings: Settings, ds: str) -> Quality:
    """What was known of the models by `ds`; empty before the first training.

    Raises ModelError when MLflow does not answer: a page without models would be taken for true.
    """
    found = _found(settings, ds)
    heads = sorted({name for version in found for name in _heads(version[1])}, key=_head_order)
    return Quality(
        lists=_curves(found, LISTS, ORDER),
        heads=_curves(found, {name: name for name in heads}, CHANCE),
        trained=[_trained(version, run) for version, run in found],
        gaps=_gaps(found),
    )


def _found(settings: Settings, ds: str) -> list[tuple["ModelVersion", "Run"]]:
    client = tracking_reader(settings)
    if client is None:
        return []
    from mlflow.exceptions import MlflowException

    try:
        return _versions(client, ds)
    except MlflowException as error:
        raise ModelError(
            f"MLflow at {settings.tracking_uri}: expected the versions of {MODEL}, found "
            f"{str(error)[:200]}; see that it runs, then draw the report again"
        ) from None


def _curves(found: list[tuple["ModelVersion", "Run"]], questions: dict[str, str], metric: str) -> list[Curve]:
    curves = [
        Curve(title, metric, [it for v, run in found if (it := _judged(v, run, question, metric))])
        for question, title in questions.items()
    ]
    return [curve for curve in curves if curve.points]


def _judged(version: "ModelVersion", run: "Run", question: str, metric: str) -> Judged | None:
    metrics = run.data.metrics
    names = next((names for names in _names(question, metric) if names.value in metrics), None)
    if names is None:
        return None
    value, gain = metrics[names.value], metrics.get(names.gain)
    return Judged(
        version=str(version.version),
        ds=version.tags.get("ds", ""),
        promoted=version.tags.get("promotion.promoted") == "true",
        value=value,
        low=metrics.get(names.low, value),
        high=metrics.get(names.high, value),
        baseline=None if gain is None else value - gain,
    )


def _names(question: str, metric: str) -> list[Names]:
    """As training names the metrics of a list or a head, and as the version before named them."""
    now = f"test_{'lists' if question in LISTS else 'heads'}/{question}/{metric}"
    before = f"test/{question}{'/published' if question in LISTS else ''}/{metric}"
    part = f"{question}/all/{metric}"
    return [
        Names(now, f"{now}_low", f"{now}_high", f"test_gains/over_best_baseline/{part}"),
        Names(before, f"{before}/low", f"{before}/high", f"gain over best baseline/{part}"),
    ]


def _heads(run: "Run") -> set[str]:
    """`click_7d` of `test_heads/click_7d/auc`, or of `test/click_7d/auc`."""
    paths = [name.split("/") for name in run.data.metrics]
    return {path[1] for path in paths if len(path) == 3 and path[0] in ("test_heads", "test") and path[2] == CHANCE}


def _gaps(found: list[tuple["ModelVersion", "Run"]]) -> list[Gap]:
    """Groups of users as the newest audited version serves them; training pooled those below the floor."""
    for version, run in reversed(found):
        metrics = run.data.metrics
        groups: dict[str, list[Served]] = {}
        for name, value in metrics.items():
            path = name.split("/")
            if path[:2] == [AUDIT, "users"] and path[4:] == [ORDER]:
                low, high = metrics.get(f"{name}_low", value), metrics.get(f"{name}_high", value)
                group = unquote(path[3].replace(".", "%"))
                groups.setdefault(path[2], []).append(Served(path[2], group, value, low, high))
        if groups:
            return [
                Gap(str(version.version), by, sorted(it, key=lambda x: (-x.value, x.group)), _gap(metrics, by))
                for by, it in sorted(groups.items())
            ]
    return []


def _gap(metrics: dict[str, float], by: str) -> tuple[float, float, float] | None:
    name = f"{AUDIT}/gap/{by}/{ORDER}"
    return (metrics[name], metrics[f"{name}_low"], metrics[f"{name}_high"]) if name in metrics else None


def _head_order(name: str) -> tuple[str, int]:
    act, _, days = name.rpartition("_")
    return act, int(days.removesuffix("d"))


def _trained(version: "ModelVersion", run: "Run") -> Trained:
    ended = run.info.end_time or run.info.start_time
    tag = run.data.tags.get(RUN_TAG, "")
    return Trained(str(version.version), tag, run.info.start_time / 1000, ended / 1000)


def _versions(client: "MlflowClient", ds: str) -> list[tuple["ModelVersion", "Run"]]:
    """The newest versions trained for `ds` or before, oldest first."""
    versions = [
        version
        for version in client.search_model_versions(f"name = '{MODEL}'")
        if version.tags.get("ds", "") <= ds and version.run_id and HOURLY not in version.tags
    ]
    newest = sorted(versions, key=lambda it: (it.tags.get("ds", ""), int(it.version)))
    return [(it, client.get_run(str(it.run_id))) for it in newest[-VERSIONS_SHOWN:]]


def tracking_reader(settings: Settings) -> "MlflowClient | None":
    """A reader of the tracking store; None when nothing was ever tracked (reading makes no one)."""
    if not settings.mlflow_uri and not (settings.mlflow / "mlflow.db").exists():
        return None
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")  # by default minutes of them
    from mlflow import MlflowClient  # 3 s

    return MlflowClient(tracking_uri=settings.tracking_uri, registry_uri=settings.tracking_uri)
