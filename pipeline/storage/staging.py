"""Staged partitions: what a job has written and readers cannot see yet.

    staging/<table>/<run>/<part>/<attempt>/<ds>/*.parquet   data
    staging/<table>/<run>/<part>/<attempt>/manifest.json    what the attempt wrote
    staging/<table>/<run>/<part>/current.json               the whole attempt that began last
    staging/<table>/<run>/audit.json                        the receipt of a passed audit
    staging/<step>/<run>/times.json                         when a step without tables worked

A job that dies leaves an attempt without a manifest, which is ignored. Published data files stay where they were
staged: the table refers to them. Folder names are not `key=value`, because readers would take such names for columns.
"""

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from filelock import FileLock

from pipeline.runtime.atomic import replace_text
from pipeline.runtime.days import shift
from pipeline.runtime.errors import StagingError
from pipeline.runtime.settings import Settings
from pipeline.sources.source import Source
from pipeline.storage.fences import next_fence
from pipeline.storage.recipe import recipe_of


@dataclass(frozen=True)
class Attempt:
    """One try of one part of a table's staging. `fence` orders attempts; `started` is a time (ns since 1970).

    `recipe`: what decides the rows besides the inputs, see `recipe_of`.
    """

    table: str
    run: str
    part: str
    path: Path
    started: int
    fence: int
    recipe: dict[str, object]

    def day(self, ds: str) -> Path:
        return self.path / ds


@dataclass
class Input:
    """What was read of one table.

    `windows`: [first, last, lookback]. A partition D depends on the days [first, last] up to D, or, with a lookback, on
    [D - lookback, D]. `days`: content digest of each day that was published within the windows; that others were not is
    noted by that. `attempt`: the same run's staged attempt of the table, which is published before. `bare`: only a
    snapshot was noted, so the days are those that it held.
    """

    snapshot: int | None = None
    windows: list[tuple[str, str, int | None]] = field(default_factory=list)
    days: dict[str, str] = field(default_factory=dict)
    attempt: str = ""
    bare: bool = False

    def windows_of(self, ds: str) -> list[list[str]]:
        """The spans of days that partition `ds` depends on."""
        spans = [
            [max(first, shift(ds, -lookback)) if lookback is not None else first, min(last, ds)]
            for first, last, lookback in self.windows
        ]
        return [span for span in spans if span[0] <= span[1]]

    def covers(self, ds: str, day: str) -> bool:
        """Whether partition `ds` depends on `day` of the table."""
        return any(first <= day <= last for first, last in self.windows_of(ds))


@dataclass(frozen=True)
class Manifest:
    """What an attempt wrote. `days` holds every day it covers, including days without rows."""

    table: str
    run: str
    part: str
    attempt: str
    started: int
    days: dict[str, list[str]]  # ds -> absolute paths of its data files
    # table -> an `Input`; or a bare snapshot id, or attempt of the same run, of which the same days were read
    inputs: dict[str, int | str | dict] = field(default_factory=dict)
    facts: dict[str, object] = field(default_factory=dict)  # what the audit compares the rows with
    fence: int = 0
    recipe: dict[str, object] = field(default_factory=dict)
    files: list[dict] = field(default_factory=list)  # the landed files that rows were made of
    seconds: float = 0.0  # from the beginning of the attempt on

    def read(self) -> dict[str, Input]:
        """Every table that was read, its own earlier days included where they were noted."""
        found = {}
        for name, it in self.inputs.items():
            if isinstance(it, dict):
                found[name] = Input(**{**it, "windows": [tuple(window) for window in it["windows"]]})
            elif name != self.table:
                own = Input(attempt=it) if isinstance(it, str) else Input(snapshot=it, bare=True)
                own.windows.append((min(self.days), max(self.days), 0))
                found[name] = own
        return found


@dataclass(frozen=True)
class Receipt:
    """Proof that an audit passed: the attempts it saw, and rows and content digest of each day."""

    table: str
    run: str
    attempts: dict[str, str]  # part -> attempt
    days: dict[str, dict[str, object]]  # ds -> {"rows": int, "digest": str}
    seconds: float


def begin(
    settings: Settings,
    table: str,
    run: str,
    part: str = "all",
    fence: int = 0,
    sources: Sequence[Source] | None = None,
    model: str = "",
) -> Attempt:
    """A fresh, empty folder to write to.

    `fence`: that of the computation, taken before its inputs were looked up; by default one is taken now. `sources`:
    those that the rows are made with; by default the active ones of now. `model`: the version that makes them, if any.
    """
    folder = _part_folder(settings, table, run, part)
    path = folder / uuid.uuid4().hex
    path.mkdir(parents=True)
    # Where the catalogue is a backup, its counter may be behind what this run staged before.
    fence = fence or next_fence(settings, _staged_fence(folder))
    recipe = recipe_of(settings, table, sources) | ({"model": model} if model else {})
    return Attempt(table, run, part, path, time.time_ns(), fence, recipe)


def complete(
    attempt: Attempt,
    days: list[str],
    files: dict[str, list[str]],
    inputs: Mapping[str, int | str | dict] | None = None,
    facts: dict[str, object] | None = None,
    landed: list[dict] | None = None,
) -> Manifest:
    """Declares the attempt complete: writes its manifest, then points the part at it, atomically.

    `files` maps a day to the absolute paths of its data files; a day without rows needs no entry. `landed`: the landed
    files that rows were made of. Raises StagingError when an attempt that began later is complete: this one is a
    zombie's, and the pointer only moves forward.
    """
    stray = sorted(set(files) - set(days))
    if stray:
        raise StagingError(
            f"{attempt.table}: expected rows of {days[0]}..{days[-1]} only, found rows of "
            f"{', '.join(stray)}; a job writes its own days"
        )
    manifest = Manifest(
        attempt.table,
        attempt.run,
        attempt.part,
        attempt.path.name,
        attempt.started,
        {ds: sorted(files.get(ds, [])) for ds in days},
        dict(inputs or {}),
        facts or {},
        attempt.fence,
        attempt.recipe,
        landed or [],
        round((time.time_ns() - attempt.started) / 1e9, 3),
    )
    write_json(attempt.path / "manifest.json", asdict(manifest))
    folder = attempt.path.parent
    with FileLock(folder / "current.lock"):
        newest = _staged_fence(folder)
        if newest > attempt.fence:
            raise StagingError(
                f"{attempt.table}: run {attempt.run!r} has staged an attempt that began later (fence {newest}) than "
                f"this one (fence {attempt.fence}), which is left out; nothing is to be done"
            )
        write_json(folder / "current.json", {"attempt": attempt.path.name, "fence": attempt.fence})
    return manifest


def current(settings: Settings, table: str, run: str) -> list[Manifest]:
    """The newest whole attempt of each part. Raises StagingError when a part has none."""
    folder = run_folder(settings, table, run)
    parts = sorted(path for path in folder.glob("*") if path.is_dir())
    if not parts:
        raise StagingError(f"{table}: run {run!r} staged nothing; run the job that writes it first")
    return [_manifest(part, table, run) for part in parts]


def check_inputs(settings: Settings, manifests: list[Manifest]) -> None:
    """Raises StagingError when rows were made from an attempt of the same run that has been replaced since.

    Two attempts of a job may overlap: the retry of a task begins while the first try still runs. Each table then shows
    the newest whole attempt, and those of two tables may be of different tries.
    """
    for manifest in manifests:
        for name, read in manifest.read().items():
            if read.attempt:
                now = {other.attempt for other in current(settings, name, manifest.run)}
                if read.attempt not in now:
                    raise StagingError(
                        f"{manifest.table}: run {manifest.run!r} made it from attempt {read.attempt} of {name}, staged "
                        f"is now {', '.join(sorted(now))}; run the job again"
                    )


def write_receipt(settings: Settings, receipt: Receipt) -> None:
    """Writes the receipt of a passed audit, which publishing requires."""
    folder = run_folder(settings, receipt.table, receipt.run)
    write_json(folder / "audit.json", asdict(receipt))


def audited(settings: Settings, table: str, run: str) -> tuple[list[Manifest], Receipt]:
    """The staged parts and the receipt that covers exactly them. Raises StagingError otherwise."""
    manifests = current(settings, table, run)
    path = run_folder(settings, table, run) / "audit.json"
    if not path.exists():
        raise StagingError(f"{table}: run {run!r} has no passed audit; audit it before publishing")
    receipt = Receipt(**json.loads(path.read_text()))
    staged = {manifest.part: manifest.attempt for manifest in manifests}
    if receipt.attempts != staged:
        raise StagingError(
            f"{table}: the audit of run {run!r} saw attempts {receipt.attempts}, staged are now {staged}; audit again"
        )
    return manifests, receipt


def keep_times(settings: Settings, step: str, run: str, began: float) -> None:
    """Records when a step without tables ran, until now; of several attempts the first that succeeded."""
    path = run_folder(settings, step, run) / "times.json"
    if not path.exists():
        write_json(path, {"began": began, "ended": time.time()})


def times_of(settings: Settings, step: str, run: str) -> tuple[float, float] | None:
    """Beginning and end of a step without tables (seconds since 1970); None when it noted none."""
    path = run_folder(settings, step, run) / "times.json"
    if not path.exists():
        return None
    found = json.loads(path.read_text())
    return found["began"], found["ended"]


def run_folder(settings: Settings, table: str, run: str) -> Path:
    """Folder of everything that one run staged for one table.

    Raises StagingError for an invalid id: an empty one would name the folder of all runs.
    """
    if run in ("", ".", "..") or "/" in run:
        raise StagingError(f"{table}: run: expected an id without '/', found {run!r}")
    return settings.staging / table / run


def write_json(path: Path, content: object) -> None:
    """Writes it atomically: a reader sees all of it or nothing."""
    replace_text(path, json.dumps(content, indent=1, sort_keys=True))


def _staged_fence(folder: Path) -> int:
    """The fence of the attempt that a part points at; 0 when there is none."""
    pointer = folder / "current.json"
    return json.loads(pointer.read_text()).get("fence", 0) if pointer.exists() else 0


def _part_folder(settings: Settings, table: str, run: str, part: str) -> Path:
    return run_folder(settings, table, run) / part


def _manifest(part: Path, table: str, run: str) -> Manifest:
    pointer = part / "current.json"
    if not pointer.exists():
        raise StagingError(f"{table}: part {part.name!r} of run {run!r} has no whole attempt; run its job again")
    attempt = json.loads(pointer.read_text())["attempt"]
    return Manifest(**json.loads((part / attempt / "manifest.json").read_text()))
