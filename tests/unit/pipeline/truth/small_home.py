"""A home whose jobs run in this process in milliseconds: a plain reading of what the Spark jobs do.

Landed lines become raw rows; rows that were there in the days before are duplicates; histories come from the product's
own kernel, from the day before or from the whole window. Everything about what is published, stale and made again is
the product's.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

import polars as pl
import pyarrow as pa
import pyarrow.dataset as arrow_dataset

from pipeline.erasure.data_files import holding, table_files
from pipeline.erasure.landed_records import blank_records, remove_identities
from pipeline.erasure.persons import find_persons
from pipeline.erasure.published import Erasing, erase_rows
from pipeline.orchestration.graph import Step
from pipeline.orchestration.steps import ACCUMULATE, CLEAN, DERIVE, INGEST, LAND
from pipeline.runtime.days import day_range, shift
from pipeline.runtime.errors import LandingError, NotPublishedError, StagingError
from pipeline.runtime.settings import Settings
from pipeline.sources.landed_file import LandedFile, sha256_of
from pipeline.sources.landing import find_source
from pipeline.sources.user_key import load_user_key, pseudonym
from pipeline.storage import staging
from pipeline.storage.files import write_day
from pipeline.storage.inputs import LOG_BEGINS, Inputs
from pipeline.storage.lineage import Lineage
from pipeline.storage.persons import VERSIONS, Persons, joined_as_of
from pipeline.storage.publications import Publication
from pipeline.storage.publish import publish
from pipeline.storage.repair_plan import Batch, repair_all
from pipeline.storage.staging import Manifest
from pipeline.storage.suppression import ERASED, erasing, fingerprint, suppress, suppressed
from pipeline.tables.registry import EVENTS, IDENTITIES, LANDED_FILES, RAW_EVENTS, USER_HISTORY
from pipeline.tables.schema import Table
from spark_jobs.engine.job import frame_of
from spark_jobs.engine.kernels import in_schema
from spark_jobs.landing.identities import dated_rows, erased_by_map, identity_versions
from spark_jobs.landing.ledger import entries, known_files, stage_ledger, vanished
from spark_jobs.states.history import EVENT_FIELDS, STATE, histories
from tests.unit.spark_jobs.published_rows import as_arrow

# The steps of a night as far as a small home has them.
SMALL_NIGHT = (
    replace(LAND, parts=(INGEST, replace(CLEAN, writes=(EVENTS.name,))), reads=(), writes=()),
    replace(DERIVE, parts=(ACCUMULATE,), reads=(), writes=()),
)
TABLES = {LAND.name: (RAW_EVENTS, LANDED_FILES, IDENTITIES, EVENTS), DERIVE.name: (USER_HISTORY,)}
SOURCE = """
platform = "shop"
timezone = "UTC"
max_late_days = 0
[delivery]
path = "shop/{ds}/*.csv"
format = "csv"
columns = ["who", "item", "hour"]
[event]
user_id = "who"
item_id = "item"
event_type = "'view'"
event_time = "to_timestamp(hour)"
"""


@dataclass
class Job:
    """One attempt at days of a step: what the Spark jobs have, without Spark."""

    settings: Settings
    days: list[str]
    run: str

    def __post_init__(self) -> None:
        self.inputs = Inputs.of(self.settings)

    def read_small(self, table: Table, first: str, last: str, columns: Sequence[str]) -> pl.DataFrame:
        """Published rows, which are noted as input."""
        return frame_of(table, self.inputs.files(table.name, first, last), columns).collect()

    @property
    def first(self) -> str:
        return self.days[0]

    @property
    def last(self) -> str:
        return self.days[-1]

    def stage(self, table: Table, rows: list[dict] | pl.DataFrame, landed: list[dict] | None = None) -> Manifest:
        attempt = staging.begin(self.settings, table.name, self.run, fence=self.inputs.fence)
        whole = as_arrow(table, rows) if isinstance(rows, list) else rows.select(table.schema.names).to_arrow()
        files = {}
        for ds in self.days:
            mine = whole.filter(pa.compute.equal(whole["ds"], ds))
            if len(mine):
                files[ds] = [write_day(attempt.day(ds), mine.cast(table.schema), table.schema)]
        return staging.complete(attempt, self.days, files, self.inputs.as_json(), None, landed)

    def stage_small(
        self,
        table: Table,
        days: Iterable[pl.DataFrame],
        facts: dict[str, object],
        inputs: dict[str, int | str | dict],
    ) -> Manifest:
        """What `stage_ledger` asks for: what it is made from is said, not what was looked at."""
        attempt = staging.begin(self.settings, table.name, self.run, fence=self.inputs.fence)
        files = {
            ds: [write_day(attempt.day(ds), in_schema(rows, table.schema), table.schema)]
            for rows in days
            for ds in rows["ds"].unique()
        }
        return staging.complete(attempt, self.days, files, inputs, facts)


class SmallHome:
    """A home with one source, whose events are views."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        settings.sources.mkdir(parents=True)
        settings.landing.mkdir(parents=True)
        (settings.sources / "shop.toml").write_text(SOURCE)
        self.source = find_source(settings, "shop")
        self.runs = 0

    def path(self, ds: str, name: str) -> Path:
        return self.settings.landing / "shop" / ds / name

    def landed_days(self) -> list[str]:
        return sorted(folder.name for folder in (self.settings.landing / "shop").glob("*") if any(folder.iterdir()))

    def night(self, first: str, last: str = "") -> None:
        """Lands and derives days."""
        days = list(day_range(first, last or first))
        for step in (LAND, DERIVE):
            self.release(step, self.stage(step, days))

    def repair(self) -> None:
        def make(batch: Batch) -> None:
            self.release(batch.step, self.stage(batch.step, batch.days))

        repair_all(self.settings, "0001-01-01", "9999-12-31", make)

    def stage(self, step: Step, days: list[str]) -> str:
        """Runs the job of a step; returns the run."""
        self.runs += 1
        job = Job(self.settings, days, f"run-{self.runs}")
        JOBS[step.name](self, job)
        return job.run

    def release(self, step: Step, run: str) -> None:
        for table in TABLES[step.name]:
            self._receive(table, run)
            publish(self.settings, table, run)

    def erase(self, who: str) -> frozenset[str]:
        """Erases a person as the product does, from landing, tables and map; returns whose rows went."""
        persons = find_persons(self.settings, [f"shop:{who}"])
        suppress(self.settings, persons.users)
        theirs = {raw for _, raw in persons.raw_ids}
        landed = sorted((self.settings.landing / "shop").glob("*/*.csv"))
        records = [
            (path.relative_to(self.settings.landing).as_posix(), number)
            for path in landed
            for number, line in enumerate(path.read_text().splitlines(), start=1)
            if line.split(",")[0] in theirs
        ]
        blank_records(self.settings, records)
        work = Erasing(self.settings, persons.users, f"erasure-{time.time_ns():x}")
        with erasing(self.settings), patch("pipeline.erasure.published._contents", contents_of):
            for table in (RAW_EVENTS, EVENTS, USER_HISTORY, IDENTITIES):
                erase_rows(work, table)
                for file in holding(table, table_files(self.settings, table), persons.users):
                    Path(file).unlink()
        remove_identities(self.settings, persons)
        return frozenset(theirs)

    def stale(self) -> list[str]:
        return [str(it) for it in Lineage(self.settings).stale]

    def days(self, table: str) -> dict[str, Publication]:
        """The published days of a table."""
        return Inputs.of(self.settings).pins.days(table)

    def contents(self) -> dict[tuple[str, str], str]:
        """The digest of every published partition but those of the ledger, which tell runs apart."""
        pins = Inputs.of(self.settings).pins
        tables = [table.name for some in TABLES.values() for table in some if table is not LANDED_FILES]
        return {(table, ds): it.digest for table in tables for ds, it in pins.days(table).items()}

    def land(self, job: Job) -> None:
        of_map = Job(self.settings, job.days, job.run)
        dated = dated_rows(of_map)
        versions = identity_versions(of_map)
        of_days = [{"ds": ds, **row} for ds in job.days for row in versions.to_dicts() if row["since_ds"] <= ds]
        of_map.stage(IDENTITIES, of_days, dated)
        known = known_files(job)
        landed = [self._inspected(path, ds) for ds in job.days for path in sorted(self.path(ds, "").glob("*.csv"))]
        gone = vanished(known, [(self.source, landed)])
        if missing := set(job.days) - {file.ds for file in landed} - {row["ds"] for row in gone}:
            raise LandingError(f"nothing landed on {min(missing)}")
        read = entries([(self.source, landed)], gone)
        kept = job.inputs.pins.read(RAW_EVENTS.name, job.first, job.last).to_pylist() if gone else []
        rows = [row for row in kept if row["source_file"] in {it["path"] for it in gone}]
        key = load_user_key(self.settings.home)
        listed, by_map = suppressed(self.settings.home), erased_by_map(self.settings)
        rows += [
            row
            for file in landed
            for row in _raw_rows(file, key, lambda account: account in by_map or fingerprint(account) in listed)
        ]
        raw = job.stage(RAW_EVENTS, rows, read)
        ledger = Job(self.settings, job.days, job.run)
        stage_ledger(ledger, raw, read)
        self._clean(job, raw)

    def derive(self, job: Job) -> None:
        """Histories of the job's days, each on from the day before, or from the whole window where there is no day
        before or the identity map has changed since."""
        before = shift(job.first, -1)
        events = job.inputs.pins.days(EVENTS.name)
        if absent := sorted(set(job.days) - events.keys()):
            raise NotPublishedError(f"events ds={absent[0]}: not published")
        past, known = None, None
        if before in job.inputs.pins.days(USER_HISTORY.name):
            Lineage(self.settings, [USER_HISTORY.name]).require_fresh(USER_HISTORY.name, before)
            past, known = _frame(job, USER_HISTORY, before, before), self._persons(job, before)
        made = []
        for ds in job.days:
            persons = self._persons(job, ds)
            goes_on = past is not None and persons.equals(known)
            past, known = self._histories(job, ds, past if goes_on else None, persons), persons
            made.append(past)
        job.stage(USER_HISTORY, pl.concat(made))

    def _histories(self, job: Job, ds: str, past: pl.DataFrame | None, persons: pl.DataFrame) -> pl.DataFrame:
        active = self.settings.active_days
        if past is None:
            told = _frame(job, EVENTS, shift(ds, 1 - active), ds, active - 1)
        else:
            told = _frame(job, EVENTS, ds, ds)
        fields = [name for name in EVENT_FIELDS if name != "text"]
        told = Persons(persons).of(told).select("user_id", "platform", *fields, text=pl.lit(None, pl.String))
        packed = [] if past is None else [past.select("user_id", pl.col(STATE).name.prefix("past_"))]
        rows = pl.concat([pl.DataFrame(schema=_packed_schema(told)), *packed, told], how="diagonal")
        return histories(rows, [ds], active, self.settings.history_events)

    def _persons(self, job: Job, ds: str) -> pl.DataFrame:
        """The map of a day. It is an input also where it says nothing."""
        newest = max((day for day in job.inputs.pins.days(IDENTITIES.name) if day <= ds), default=LOG_BEGINS)
        return joined_as_of(job.read_small(IDENTITIES, newest, ds, VERSIONS), ds).sort("account_id")

    def _clean(self, job: Job, raw: Manifest) -> None:
        """Events: of equal rows within `dedup_days` the first by day, file and line."""
        inputs, first = Inputs(job.inputs.pins, job.inputs.fence), shift(job.first, 1 - self.settings.dedup_days)
        files = inputs.files(RAW_EVENTS.name, first, shift(job.first, -1), self.settings.dedup_days - 1)
        inputs.note_staged(RAW_EVENTS.name, raw.attempt, job.first, job.last, self.settings.dedup_days - 1)
        own = [path for paths in raw.days.values() for path in paths]
        table = arrow_dataset.dataset([*files, *own], schema=RAW_EVENTS.schema, format="parquet").to_table()
        last_seen: dict[str, str] = {}
        events = []
        told = [row for row in table.to_pylist() if row["reject_reason"] is None]
        for row in sorted(told, key=lambda row: (row["ds"], row["source_file"], row["event_time"])):
            seen = last_seen.get(row["event_id"])
            last_seen[row["event_id"]] = row["ds"]
            recent = seen is not None and shift(seen, self.settings.dedup_days) > row["ds"]
            if row["ds"] >= job.first and not recent:
                events.append({name: row[name] for name in EVENTS.schema.names})
        job.inputs = inputs
        job.stage(EVENTS, events)

    def _inspected(self, path: Path, ds: str) -> LandedFile:
        state = path.stat()
        name = path.relative_to(self.settings.landing).as_posix()
        records = len(path.read_text().splitlines()) - 1
        return LandedFile(str(path), name, ds, records, (), state.st_size, state.st_mtime_ns, sha256_of(path))

    def _receive(self, table: Table, run: str) -> None:
        """A receipt with the digest of the rows, whatever their order."""
        manifests = staging.current(self.settings, table.name, run)
        days: dict[str, dict[str, object]] = {}
        for manifest in manifests:
            if gone := [path for paths in manifest.days.values() for path in paths if not Path(path).exists()]:
                raise StagingError(f"{gone[0]} is gone")
            for ds, (rows, digest) in contents_of(self.settings, table, None, manifest.days).items():
                days[ds] = {"rows": rows, "digest": digest}
        seen = {manifest.part: manifest.attempt for manifest in manifests}
        staging.write_receipt(self.settings, staging.Receipt(table.name, run, seen, days, 0.0))


JOBS: dict[str, Callable[[SmallHome, Job], None]] = {LAND.name: SmallHome.land, DERIVE.name: SmallHome.derive}


def contents_of(
    _settings: Settings, table: Table, _attempt: object, days: dict[str, list[str]]
) -> dict[str, tuple[int, str]]:
    """Rows and digest of each day, whatever the order of rows."""
    found = {}
    for ds, paths in days.items():
        rows = arrow_dataset.dataset(paths, schema=table.schema, format="parquet").to_table().to_pylist()
        content = "\n".join(sorted(map(repr, rows)))
        found[ds] = (len(rows), hashlib.sha256(content.encode()).hexdigest()[:32] if rows else "0")
    return found


def _raw_rows(file: LandedFile, key: bytes, erased: Callable[[str], bool]) -> list[dict]:
    """A row per line: who, item, hour of the day on which the line says that it happened (`ds`T`hour`)."""
    rows: list[dict] = []
    for line in Path(file.path).read_text().splitlines()[1:]:
        place = {"ds": file.ds, "platform": "shop", "arrival_ds": file.ds, "source_file": file.name}
        if line == ERASED or erased(pseudonym(key, f"shop:{line.split(',')[0]}")):
            rows.append({**place, "reject_reason": ERASED})
            continue
        who, item, at = line.split(",")
        rows.append(
            {
                **place,
                "event_id": hashlib.sha256(line.encode()).hexdigest()[:32],
                "account_id": pseudonym(key, f"shop:{who}"),
                "item_id": f"shop:{item}",
                "event_type": "view",
                "event_time": datetime.fromisoformat(at).replace(tzinfo=UTC),
            }
        )
    return rows


def _frame(job: Job, table: Table, first: str, last: str, lookback: int | None = None) -> pl.DataFrame:
    paths = job.inputs.files(table.name, first, last, lookback)
    found = pl.from_arrow(arrow_dataset.dataset(paths, schema=table.schema, format="parquet").to_table())
    assert isinstance(found, pl.DataFrame)
    return found


def _packed_schema(listed: pl.DataFrame) -> dict[str, pl.DataType]:
    """Columns of past histories and of events together."""
    state = pl.DataFrame(pl.from_arrow(USER_HISTORY.schema.empty_table())).select(STATE)
    past = {f"past_{name}": kind for name, kind in state.schema.items()}
    return {"user_id": pl.String(), **past, **{k: v for k, v in listed.schema.items() if k != "user_id"}}


def lines(rows: list[tuple[str, str, str]]) -> str:
    return "who,item,hour\n" + "".join(f"{who},{item},{at}\n" for who, item, at in rows)
