"""A home that lives through days: the jobs of `land` and `derive` in this process, repairs, and a fresh home beside."""

import shutil
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from pipeline.orchestration.graph import Step
from pipeline.orchestration.steps import DERIVE, LAND
from pipeline.runtime.settings import Settings, load_settings
from pipeline.storage import staging
from pipeline.storage.audit.staged_rows import data_files, staged_rows
from pipeline.storage.lineage import Lineage
from pipeline.storage.publish import publish
from pipeline.storage.reading import published, read
from pipeline.storage.repair_plan import Batch, repair_all
from pipeline.tables.registry import LANDED_FILES, table_named
from spark_jobs import derive_days, land_days

MAINS: dict[str, Callable[[], None]] = {LAND.name: land_days.main, DERIVE.name: derive_days.main}
COMPARED = tuple(table for step in (LAND, DERIVE) for table in step.writes if table != LANDED_FILES.name)


class KeptHome:
    """Runs jobs on the home that TIDEMARK_HOME names."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch
        self.settings = load_settings()

    def night(self, ds: str, last: str = "") -> None:
        """Lands and derives a day, or the days up to `last` at once."""
        for step in (LAND, DERIVE):
            self.release(step, self.stage(step, ds, last or ds))

    def stage(self, step: Step, first: str, last: str, run: str = "") -> str:
        """Runs the job of a step; returns the run."""
        run = run or f"test-{time.time_ns()}"
        until = ["--until", step.until] if step.until else []
        self.monkeypatch.setattr(sys, "argv", ["job", "--from", first, "--to", last, "--run", run, *until])
        MAINS[step.name]()
        return run

    def release(self, step: Step, run: str) -> None:
        """Publishes what a run staged, with its digests but without the expectations of the audit."""
        for table in step.writes:
            write_receipt(self.settings, table, run)
            publish(self.settings, table_named(table), run)

    def repair(self) -> list[str]:
        """Makes again what is stale; returns the batches."""
        made = []

        def make(batch: Batch) -> None:
            made.append(str(batch))
            self.release(batch.step, self.stage(batch.step, batch.days[0], batch.days[-1]))

        repair_all(self.settings, "0001-01-01", "9999-12-31", make)
        return made

    def stale(self) -> list[str]:
        return [str(it) for it in Lineage(self.settings).stale]


def write_receipt(settings: Settings, table: str, run: str) -> None:
    """A receipt of what is staged, as an audit would write it."""
    manifests = staging.current(settings, table, run)
    content: dict[str, dict[str, object]] = {ds: {"rows": 0, "digest": "0"} for m in manifests for ds in m.days}
    if data_files(manifests):
        with staged_rows(settings, table_named(table), manifests, []) as rows:
            content |= rows.content()
    seen = {manifest.part: manifest.attempt for manifest in manifests}
    staging.write_receipt(settings, staging.Receipt(table, run, seen, content, 0.0))


def contents(settings: Settings, tables: Iterable[str] = COMPARED) -> dict[tuple[str, str], str]:
    """The content digest of every published partition."""
    return {(table, ds): it.digest for table in tables for ds, it in published(table, settings).items()}


def fresh_contents(
    settings: Settings, first: str, last: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[tuple[str, str], str]:
    """What a fresh home makes of the same landing files, identity map and list of erased users, loaded at once."""
    with monkeypatch.context() as patch:
        patch.setenv("TIDEMARK_HOME", str(folder))
        folder.mkdir()
        for name in ("landing", "sources", "erasures"):
            if (settings.home / name).exists():
                shutil.copytree(settings.home / name, folder / name)
        home = KeptHome(patch)
        home.night(first, last)
        return contents(home.settings)


def rows(settings: Settings, table: str, ds: str) -> list[dict]:
    return read(table, ds, settings).to_pylist()
