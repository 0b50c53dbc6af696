"""The recipe of a training run, read back from MLflow, and whether another run matches it."""

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from pipeline.runtime.errors import ModelError
from pipeline.runtime.settings import Settings
from pipeline.storage.reading import pinned_files
from training.network.presets import Preset
from training.registry.metric_names import BASELINES, HEADLINE, HEADS, LISTS, VS_CHAMPION
from training.registry.runs import DS_TAG, git_revision, requirements_hash

if TYPE_CHECKING:
    from mlflow.entities import Run

SNAPSHOT, REPRODUCES = "tidemark.snapshot.", "tidemark.reproduces"
COMPARED = ("valid/", HEADLINE, LISTS, HEADS, BASELINES)
FLOOR = 0.1  # differences are relative to the figure, or to this where it is smaller


@dataclass(frozen=True)
class Origin:
    """The recipe of a run."""

    run_id: str
    ds: str
    preset: Preset
    platforms: str  # comma-separated; "" = all
    init: str  # the version or run that it started from; "" = from scratch
    processes: int
    threads: int  # of each process
    pins: dict[str, int]  # table -> snapshot


@dataclass(frozen=True)
class Difference:
    """A metric that was not reproduced. NaN: the run has no such metric."""

    metric: str
    expected: float
    found: float

    def __str__(self) -> str:
        return f"{self.metric} expected {self.expected:.6g}, found {self.found:.6g}"


def origin_of(run: "Run") -> Origin:
    """Raises ModelError if the run did not record its recipe."""
    params, tags = run.data.params, run.data.tags
    pins = pins_of(run)
    if DS_TAG not in tags or not pins or "job.processes" not in params:
        raise ModelError(
            f"MLflow run {run.info.run_id}: expected a training run with its preset and input "
            "snapshots, found neither; take a run of `python -m training.train`"
        )
    return Origin(
        run.info.run_id,
        tags[DS_TAG],
        preset_of(params),
        params.get("job.platforms", ""),
        params.get("job.init", ""),
        int(params["job.processes"]),
        int(params["job.threads"]),
        pins,
    )


def pins_of(run: "Run") -> dict[str, int]:
    """Table -> snapshot that the run read."""
    return {
        name.removeprefix(SNAPSHOT): int(value) for name, value in run.data.tags.items() if name.startswith(SNAPSHOT)
    }


def check_inputs(settings: Settings, origin: Origin) -> None:
    """Raises if the run cannot be repeated: its snapshots are gone, or its noise was secret."""
    if origin.preset.epsilon:
        raise ModelError(
            f"run {origin.run_id}: expected a run without privacy, found epsilon "
            f"{origin.preset.epsilon:g}; its noise was drawn from the system and not kept"
        )
    for name, snapshot in origin.pins.items():
        pinned_files(name, origin.ds, origin.ds, settings, snapshot)


def preset_of(params: dict[str, str]) -> Preset:
    """The preset as it was logged; choices that did not exist then have their defaults.

    Raises ModelError if it has a choice that this code does not know.
    """
    logged = {name.removeprefix("preset."): value for name, value in params.items() if name.startswith("preset.")}
    default = Preset(logged.get("name", ""))
    unknown = sorted(logged.keys() - {field.name for field in fields(Preset)})
    if unknown:
        raise ModelError(
            f"preset: expected choices that this code knows, found {', '.join(unknown)}; check out the run's revision"
        )
    return Preset(**{name: _parsed(value, getattr(default, name)) for name, value in logged.items()})


def code_differs(run: "Run") -> list[str]:
    """What differs in code and packages from the run."""
    tags = run.data.tags
    pairs = (
        ("git revision", tags.get("mlflow.source.git.commit", "unknown"), git_revision()),
        ("requirements.txt", tags.get("tidemark.requirements", "unknown"), requirements_hash()),
    )
    return [f"{what}: {then} then, {now} now" for what, then, now in pairs if then != now]


def differences(expected: dict[str, float], found: dict[str, float], tolerance: float) -> list[Difference]:
    """Metrics of validation and test that differ by more than `tolerance`.

    A difference counts relative to the expected figure, or to FLOOR where that is smaller. NaN equals NaN: a metric
    that is not defined on the data. Gains over the champion are left out: the champion may have changed.
    """
    nothing = float("nan")
    apart = []
    for name in sorted(expected):
        if not name.startswith(COMPARED) or name.endswith(VS_CHAMPION):
            continue
        then, now = expected[name], found.get(name, nothing)
        undefined = then != then and name in found and now != now
        near = abs(now - then) <= tolerance * max(abs(then), FLOOR)
        if not (undefined or near):
            apart.append(Difference(name, then, now))
    return apart


def _parsed(value: str, default: Any) -> Any:
    if isinstance(default, bool):
        return value == "True"
    return type(default)(value)
