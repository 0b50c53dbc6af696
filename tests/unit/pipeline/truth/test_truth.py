"""Whatever happens to a home, once nothing is stale it holds the rows that a fresh home makes of the same files.

Histories are drawn: files land, late and in pieces, are corrected, touched, delivered again and purged; nights run in
and out of order, over ranges, beside one another, die half-way and come back as zombies; settings change; days are
unpublished and repaired; persons are erased.
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from pipeline.runtime.errors import TidemarkError
from pipeline.runtime.settings import Settings
from pipeline.storage import lineage, repair_plan
from pipeline.storage.suppression import ERASED
from pipeline.storage.unpublish import check_landed
from pipeline.tables.registry import table_named
from tests.unit.pipeline.truth.small_home import SMALL_NIGHT, TABLES, SmallHome, lines
from tests.unit.pipeline.truth.tables_in_memory import replace_days, tables_in_memory

DAYS = [f"2026-03-0{day}" for day in range(1, 5)]
PERSONS = ("p", "q")
WHO, ITEMS, FILES = ("ann", "bob", "cat"), ("a", "b"), ("0.csv", "1.csv")
MEMORY = Path("/dev/shm")  # commits of SQLite wait for the disk elsewhere
HISTORIES = int(os.environ.get("TRUTH_HISTORIES", "200"))
FIXED = "TRUTH_HISTORIES" not in os.environ  # the same ones in every CI run; the bench draws new ones

days = st.sampled_from(DAYS)
rows = st.lists(
    st.tuples(st.sampled_from(WHO), st.sampled_from(ITEMS), st.sampled_from([f"{ds}T10:00" for ds in DAYS[:3]])),
    min_size=1,
    max_size=4,
)


class Died(Exception):
    """The end of a process."""


class Life(RuleBasedStateMachine):
    """One home. `read` is the content of each landed file as it was last read: purged files are nowhere else."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.catalogue = self.stack.enter_context(tables_in_memory())
        for module in (lineage, repair_plan):
            self.stack.enter_context(patch.object(module, "NIGHT", SMALL_NIGHT))
        self.folder = Path(tempfile.mkdtemp(prefix="truth-", dir=MEMORY if MEMORY.is_dir() else None))
        self.stack.callback(shutil.rmtree, self.folder)
        self.home = SmallHome(self._settings("home"))
        self.purged: dict[tuple[str, str], str] = {}
        self.clock = 1_800_000_000
        self.staged: list[tuple[int, str]] = []
        self.map: list[tuple[str, str, str]] = []
        self._write_map(self.home)

    def teardown(self) -> None:
        try:
            self.settle()
            self.compare()
        finally:
            self.stack.close()

    @initialize(landed=st.lists(st.none() | rows, min_size=len(DAYS), max_size=len(DAYS)), together=st.booleans())
    def some_days(self, landed: list[list[tuple[str, str, str]] | None], together: bool) -> None:
        """The first nights of a home; files of some days are late."""
        for ds, content in zip(DAYS, landed, strict=True):
            if content:
                self._write(ds, FILES[0], lines(content))
        there = self.home.landed_days()
        if together and there == DAYS:
            self.home.night(DAYS[0], DAYS[-1])
        else:
            for ds in there:
                self._try(lambda ds=ds: self.home.night(ds))

    @rule(ds=days, name=st.sampled_from(FILES), content=rows)
    def land_or_correct(self, ds: str, name: str, content: list[tuple[str, str, str]]) -> None:
        self._write(ds, name, lines(content))

    @rule(ds=days, of=days)
    def deliver_again(self, ds: str, of: str) -> None:
        source = self.home.path(of, FILES[0])
        if source.exists() and ds != of:
            self._write(ds, FILES[1], source.read_text())

    @rule(ds=days, name=st.sampled_from(FILES))
    def touch(self, ds: str, name: str) -> None:
        if self.home.path(ds, name).exists():
            self._tick(self.home.path(ds, name))

    @rule(ds=days, more=st.none() | rows)
    def purge(self, ds: str, more: list[tuple[str, str, str]] | None) -> None:
        """Landing is purged of a file that was read, as it is; maybe another one of that day lands."""
        path = self.home.path(ds, FILES[0])
        if path.exists() and not any(it.startswith(f"raw_events ds={ds}:") for it in self.home.stale()):
            self.purged[ds, FILES[0]] = path.read_text()
            path.unlink()
            if more:
                self._write(ds, FILES[1], lines(more))

    @rule(ds=days)
    def night(self, ds: str) -> None:
        self._try(lambda: self.home.night(ds))

    @rule(first=days, last=days)
    def load_range(self, first: str, last: str) -> None:
        if first < last:
            self._try(lambda: self.home.night(first, last))

    @rule(ds=days, step=st.sampled_from([0, 1]))
    def begin(self, ds: str, step: int) -> None:
        """A job runs, and its release is yet to come: another run is faster, or it died."""
        self._try(lambda: self.staged.append((step, self.home.stage(SMALL_NIGHT[step], [ds]))))

    @rule(ds=days, commits=st.integers(0, 4))
    def die(self, ds: str, commits: int) -> None:
        """A night ends after some of its tables are published; what the next one was made from is kept already."""
        left = iter(range(commits))

        def replace_or_die(*given: Any) -> None:
            if next(left, None) is None:
                raise Died
            replace_days(*given)

        with patch("pipeline.storage.publish._replace", replace_or_die), suppress(Died):
            self._try(lambda: self.home.night(ds))

    @precondition(lambda self: self.staged)
    @rule(number=st.integers(0, 9))
    def end(self, number: int) -> None:
        step, run = self.staged.pop(number % len(self.staged))
        self._try(lambda: self.home.release(SMALL_NIGHT[step], run))

    @rule()
    def repair(self) -> None:
        self.home.repair()

    @rule(ds=days, table=st.sampled_from([table.name for some in TABLES.values() for table in some]))
    def unpublish(self, ds: str, table: str) -> None:
        if ds in self.home.days(table):
            self._try(lambda: self._unpublish(table, ds))

    def _unpublish(self, table: str, ds: str) -> None:
        check_landed(self.home.settings, table_named(table), ds)
        self.catalogue.unpublish(self.home.settings, table, ds)

    @rule(days=st.integers(2, 4))
    def change_dedup(self, days: int) -> None:
        self.home.settings = self.home.settings.model_copy(update={"dedup_days": days})

    @rule(who=st.sampled_from(WHO), person=st.sampled_from([*PERSONS, None]), since=days)
    def say_whose(self, who: str, person: str | None, since: str) -> None:
        """The identity map dates a change: an account joins a person, moves to another, or its rows go."""
        for row in [it for it in self.map if it[0] == who and (person is None or it[2] == since)]:
            self.map.remove(row)
        if person:
            self.map.append((who, person, since))
        self._write_map(self.home)

    @rule(who=st.sampled_from(WHO))
    def erase(self, who: str) -> None:
        """A person is erased, with all accounts that are theirs; may land again, and be named by the map again."""
        before = self._stale_days()
        theirs = self.home.erase(who)
        assert self._stale_days() <= before, "an erasure leaves nothing to be made again"
        self.map = [row for row in self.map if row[0] not in theirs]
        for key, content in self.purged.items():
            lines = content.splitlines(keepends=True)
            self.purged[key] = "".join(f"{ERASED}\n" if line.split(",")[0] in theirs else line for line in lines)

    def settle(self) -> None:
        """Repairs, and runs the nights of the newest days, which a repair leaves to them."""
        while behind := [ds for ds in self.home.landed_days() if ds not in self.home.days("raw_events")]:
            self.home.repair()
            if behind[-1] not in self.home.days("raw_events"):
                self.home.night(behind[0])
        self.home.repair()
        newest = max(self.home.days("raw_events"), default="")
        if newest and newest not in self.home.days("user_history"):  # its night has died
            self.home.night(newest)
            self.home.repair()
        stale = self.home.stale()
        assert not stale, stale

    def compare(self) -> None:
        fresh = SmallHome(self._settings("fresh"))
        fresh.settings = fresh.settings.model_copy(update={"dedup_days": self.home.settings.dedup_days})
        self._write_map(fresh)
        if (listed := self.home.settings.home / "erasures" / "suppressed.txt").exists():
            (fresh.settings.home / "erasures").mkdir()
            shutil.copy(listed, fresh.settings.home / "erasures")
        for ds in DAYS:
            for name in FILES:
                content = self._content(ds, name)
                if content is not None:
                    fresh.path(ds, name).parent.mkdir(parents=True, exist_ok=True)
                    fresh.path(ds, name).write_text(content)
        for ds in fresh.landed_days():
            fresh.night(ds)
        kept, made = self.home.contents(), fresh.contents()
        differ = sorted(key for key in kept if kept[key] != made.get(key))
        assert not differ, differ
        assert {key for key in made if key[0] == "events"} <= kept.keys()

    def _stale_days(self) -> set[str]:
        return {it.partition(":")[0] for it in self.home.stale()}

    def _content(self, ds: str, name: str) -> str | None:
        path = self.home.path(ds, name)
        return path.read_text() if path.exists() else self.purged.get((ds, name))

    def _settings(self, name: str) -> Settings:
        return Settings(home=self.folder / name)

    def _write(self, ds: str, name: str, content: str) -> None:
        path = self.home.path(ds, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        self._tick(path)
        self.purged.pop((ds, name), None)

    def _write_map(self, home: SmallHome) -> None:
        said = "".join(f"shop,{who},{person},{since}\n" for who, person, since in self.map)
        (home.settings.landing / "identity.csv").write_text(f"platform,raw_id,person_id,since\n{said}")

    def _tick(self, path: Path) -> None:
        """File systems tell times apart by milliseconds only."""
        self.clock += 1
        os.utime(path, (self.clock, self.clock))

    def _try(self, deed: Callable[[], object]) -> None:
        """A refusal is an answer; anything else is a fault."""
        with suppress(TidemarkError):
            deed()


drawn = settings(
    max_examples=HISTORIES // 2,
    stateful_step_count=8,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=FIXED,
)


class TestOneHalf(Life.TestCase):
    settings = drawn


class TestOtherHalf(Life.TestCase):
    """So that two workers share the histories."""

    settings = drawn
