"""Staged partitions: what a job has written and readers cannot see yet.

    staging/<table>/<run>/<part>/<attempt>/<ds>/*.parquet   data
    staging/<table>/<run>/<part>/<attempt>/manifest.json    what the attempt wrote
    staging/<table>/<run>/<part>/current.json               the newest whole attempt
    staging/<table>/<run>/audit.json                        the receipt of a passed audit
    staging/<step>/<run>/times.json                         when a step without tables worked

A job that dies leaves an attempt without a manifest, which is ignored. Published data files stay where they were
staged: the table refers to them. Folder names are not `key=value`, because readers would take such names for columns.
"""

import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pipeline.runtime.atomic import replace_text
from pipeline.runtime.errors import StagingError
from pipeline.runtime.settings import Settings


@dataclass(frozen=True)
class Attempt:
    """One try of one part of a table's staging. `started` orders attempts (ns since 1970)."""

    table: str
    run: str
    part: str
    path: Path
    started: int

    def day(self, ds: str) -> Path:
        return self.path / ds


@dataclass(frozen=True)
class Manifest:
    """What an attempt wrote. `days` holds every day it covers, including days without rows."""

    table: str
    run: str
    part: str
    attempt: str
    started: int
    days: dict[str, list[str]]  # ds -> absolute paths of its data files
    # table -> snapshot id that was read, or the attempt of the same run, which is published before
    inputs: dict[str, int | str] = field(default_factory=dict)
    facts: dict[str, object] = field(default_factory=dict)  # what the audit compares the rows with


@dataclass(frozen=True)
class Receipt:
    """Proof that an audit passed: the attempts it saw, and rows and content digest of each day."""

    table: str
    run: str
    attempts: dict[str, str]  # part -> attempt
    days: dict[str, dict[str, object]]  # ds -> {"rows": int, "digest": str}
    seconds: float


def begin(settings: Settings, table: str, run: str, part: str = "all") -> Attempt:
    """A fresh, empty folder to write to."""
    path = _part_folder(settings, table, run, part) / uuid.uuid4().hex
    path.mkdir(parents=True)
    return Attempt(table, run, part, path, time.time_ns())


def complete(
    attempt: Attempt,
    days: list[str],
    files: dict[str, list[str]],
    inputs: Mapping[str, int | str] | None = None,
    facts: dict[str, object] | None = None,
) -> Manifest:
    """Declares the attempt complete: writes its manifest, then points the part at it, atomically.

    `files` maps a day to the absolute paths of its data files; a day without rows needs no entry.
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
    )
    write_json(attempt.path / "manifest.json", asdict(manifest))
    write_json(attempt.path.parent / "current.json", {"attempt": attempt.path.name})
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
        for name, read in manifest.inputs.items():
            if isinstance(read, str):
                now = {other.attempt for other in current(settings, name, manifest.run)}
                if read not in now:
                    raise StagingError(
                        f"{manifest.table}: run {manifest.run!r} made it from attempt {read} of {name}, staged is now "
                        f"{', '.join(sorted(now))}; run the job again"
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


def _part_folder(settings: Settings, table: str, run: str, part: str) -> Path:
    return run_folder(settings, table, run) / part


def _manifest(part: Path, table: str, run: str) -> Manifest:
    pointer = part / "current.json"
    if not pointer.exists():
        raise StagingError(f"{table}: part {part.name!r} of run {run!r} has no whole attempt; run its job again")
    attempt = json.loads(pointer.read_text())["attempt"]
    return Manifest(**json.loads((part / attempt / "manifest.json").read_text()))
