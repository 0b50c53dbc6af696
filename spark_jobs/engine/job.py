"""What every Spark job has: its days, pinned reads of published tables, staged writes."""

import argparse
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import polars as pl
from pyspark.errors import PythonException
from pyspark.errors.exceptions.captured import CapturedException
from pyspark.sql import DataFrame, SparkSession, functions
from pyspark.sql.pandas.types import from_arrow_schema

from pipeline.runtime import program
from pipeline.runtime.days import day_range, parse_day, shift
from pipeline.runtime.errors import LandingError, NotPublishedError, SourceError, TidemarkError, UsageError
from pipeline.runtime.settings import Settings, load_settings
from pipeline.sources.landing import active_sources
from pipeline.sources.source import Source
from pipeline.storage import staging
from pipeline.storage.catalog import file_schema
from pipeline.storage.declared import polars_rows, with_former_names
from pipeline.storage.files import write_day
from pipeline.storage.inputs import Inputs
from pipeline.tables.schema import Table
from spark_jobs.engine.kernels import Made, in_schema
from spark_jobs.engine.session import open_session
from spark_jobs.engine.watch import watching
from spark_jobs.engine.writing import write_days

INTERNAL, UNREADABLE = "XX", "KD"  # classes of SQLSTATE


@dataclass
class SparkJob:
    """One run of one job over `days`. What it reads is pinned, and kept with what it stages.

    `until` names the last part to run of a job that has several; empty: all. The fence is taken before anything is
    looked up.
    """

    settings: Settings
    spark: SparkSession
    days: list[str]
    run: str
    staged: dict[str, staging.Manifest] = field(default_factory=dict)
    until: str = ""
    inputs: Inputs = field(init=False)

    def __post_init__(self) -> None:
        self.inputs = Inputs.of(self.settings)

    @classmethod
    def from_args(cls, doc: str | None, argv: list[str] | None = None, parts: Collection[str] = ()) -> "SparkJob":
        """Parses `--ds D` or `--from D1 --to D2`, `--run R`, and `--until PART` where there are parts."""
        parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("--ds", help="one day")
        parser.add_argument("--from", dest="first", help="first day of a range")
        parser.add_argument("--to", dest="last", help="last day of a range")
        parser.add_argument("--run", default=f"manual-{time.time_ns()}", help="id shared by steps")
        if parts:
            parser.add_argument("--until", choices=parts, default="", help="leave out the parts after this one")
        arguments = parser.parse_args(argv)
        first, last = arguments.ds or arguments.first, arguments.ds or arguments.last
        if not first or not last:
            raise UsageError("days: expected --ds D or --from D1 --to D2")
        settings = load_settings()
        name = (doc or "tidemark").splitlines()[0].rstrip(".")
        days = day_range(parse_day(first), parse_day(last))
        until = arguments.until if parts else ""
        return cls(settings, open_session(settings, name), days, arguments.run, until=until)

    @property
    def first(self) -> str:
        return self.days[0]

    @property
    def last(self) -> str:
        return self.days[-1]

    @property
    def snapshot_days(self) -> list[str]:
        """The days that a table of full states is written for: the last few of a range."""
        return self.days[-self.settings.snapshot_days :]

    def read(self, table: Table, lookback_days: int = 0) -> DataFrame:
        """The published rows of the job's days and of `lookback_days` before them.

        Where this process has staged the table itself, the job's own days are what it staged: they are published after
        the job. Raises NotPublishedError when one of them is missing. Days before may be missing: the log begins
        somewhere, and the DAG waits for those under way.
        """
        first = shift(self.first, -lookback_days)
        if own := self.staged.get(table.name):
            before = shift(self.first, -1)
            earlier = self.inputs.files(table.name, first, before, lookback_days) if lookback_days else []
            self.inputs.note_staged(table.name, own.attempt, self.first, self.last, lookback_days)
            return self._parquet(table, [*earlier, *(file for files in own.days.values() for file in files)])
        self.require(table)
        return self.read_range(table, first, self.last, lookback_days)

    def read_own(self, table: Table, columns: Sequence[str]) -> pl.LazyFrame:
        """Some columns of the rows of the job's days, read in this process: those that `read` gives, noted by it."""
        own = self.staged.get(table.name)
        if own:
            return frame_of(table, [file for files in own.days.values() for file in files], columns)
        return frame_of(table, self.inputs.pins.files(table.name, self.first, self.last), columns)

    def require(self, table: Table) -> None:
        """Raises NotPublishedError unless every day of the job is published."""
        missing = sorted(set(self.days) - set(self.inputs.pins.days(table.name)))
        if missing:
            raise NotPublishedError(
                f"{table.name}: expected every day of {self.first}..{self.last}, missing are "
                f"{len(missing)}, the first ds={missing[0]}; run the steps that write it first"
            )

    def read_range(self, table: Table, first: str, last: str, lookback: int | None = None) -> DataFrame:
        """The published rows of [first, last], from one pinned snapshot; maybe none.

        `lookback`: a day of the job depends on that many days before it only; by default on all from `first` on.
        """
        return self._parquet(table, self.inputs.files(table.name, first, last, lookback))

    def read_small(self, table: Table, first: str, last: str, columns: Sequence[str]) -> pl.DataFrame:
        """Some columns of the published rows of [first, last], read in this process: of a table that is small."""
        return frame_of(table, self.inputs.files(table.name, first, last), columns).collect()

    def read_published(self, table: Table, first: str, last: str) -> DataFrame:
        """The published rows of [first, last], where they are no input: the job's own earlier rows."""
        return self._parquet(table, self.inputs.pins.files(table.name, first, last))

    def read_files(self, table: Table, files: list[str]) -> DataFrame:
        """The rows of data files, where they are no input."""
        return self._parquet(table, files)

    def read_staged(self, table: Table, ds: str) -> DataFrame:
        """What this run has staged of `ds`, as it will be published."""
        files = [
            file
            for manifest in staging.current(self.settings, table.name, self.run)
            for file in manifest.days.get(ds, [])
        ]
        return self._parquet(table, files)

    def no_rows(self, table: Table) -> DataFrame:
        """The table's columns without a row."""
        return self.spark.createDataFrame([], from_arrow_schema(table.schema))

    def has_day(self, table: Table, ds: str) -> bool:
        """Whether `ds` of `table` is published."""
        return ds in self.inputs.pins.days(table.name)

    def stage(
        self,
        table: Table,
        rows: DataFrame | Made,
        days: list[str] | None = None,
        facts: dict[str, object] | None = None,
        before_complete: Callable[[], None] = lambda: None,
        gather: bool = True,
        landed: list[dict] | None = None,
    ) -> staging.Manifest:
        """Writes `rows` (with a `ds` column) as one whole staged attempt of `days`.

        `before_complete` may raise once the rows are written: then the attempt counts for nothing. `gather` brings the
        rows of each day together first (see `write_days`). `landed`: the landed files that rows are made of.
        """
        days = days or self.days
        attempt, schema = self._begin(table), file_schema(self.settings, table)
        written = write_days(rows, attempt.path, schema, days, gather)
        before_complete()
        files: dict[str, list[str]] = {}
        for row in written.to_pylist():
            files.setdefault(row["ds"], []).append(row["path"])
        print(f"{table.name}: staged {sum(written['rows'].to_pylist())} rows of {len(days)} days")
        self.staged[table.name] = staging.complete(attempt, days, files, self.inputs.as_json(), facts, landed)
        return self.staged[table.name]

    def stage_small(
        self,
        table: Table,
        days: Iterable[pl.DataFrame],
        facts: dict[str, object] | None = None,
        landed: list[dict] | None = None,
        inputs: Mapping[str, int | str | dict] | None = None,
    ) -> staging.Manifest:
        """Writes rows that this process holds, one frame a day, as one whole staged attempt of the job's days.

        `inputs`: what they are made from, by default all that the job has noted.
        """
        attempt, schema = self._begin(table), file_schema(self.settings, table)
        files, count = {}, 0
        for rows in days:
            if len(rows):
                ds = rows["ds"][0]
                files[ds] = [write_day(attempt.day(ds), in_schema(rows, table.schema), schema)]
                count += len(rows)
        print(f"{table.name}: staged {count} rows of {len(self.days)} days")
        noted = self.inputs.as_json() if inputs is None else inputs
        self.staged[table.name] = staging.complete(attempt, self.days, files, noted, facts, landed)
        return self.staged[table.name]

    def _begin(self, table: Table) -> staging.Attempt:
        """An attempt with the job's fence, made with the sources that the job has read, if it has."""
        sources = self.__dict__.get("sources")
        return staging.begin(self.settings, table.name, self.run, fence=self.inputs.fence, sources=sources)

    @cached_property
    def sources(self) -> list[Source]:
        """The active sources, read once: what rows are made with is what is noted of their files."""
        return active_sources(self.settings)

    def part(self) -> "SparkJob":
        """The same job, which notes only what this part reads; tables stay as the job has pinned them."""
        part = replace(self)
        part.inputs = Inputs(self.inputs.pins, self.inputs.fence)
        return part

    def _parquet(self, table: Table, files: list[str]) -> DataFrame:
        if not files:
            return self.no_rows(table)
        rows = self.spark.read.schema(from_arrow_schema(with_former_names(table))).parquet(*files)
        former = {now: functions.coalesce(now, *names) for now, names in table.renamed.items()}
        return rows.withColumns(former).select(table.schema.names) if former else rows


def frame_of(table: Table, files: Sequence[str], columns: Sequence[str]) -> pl.LazyFrame:
    """Some columns of data files, maybe of none."""
    if files:
        return polars_rows(table, files, columns)
    empty = pl.from_arrow(table.schema.empty_table().select(list(columns)))
    assert isinstance(empty, pl.DataFrame)
    return empty.lazy()


def run_job(main: Callable[[], None]) -> None:
    """Runs a job's `main`, and shows how far it is; a typed error that a worker raised ends it like one of our own."""
    with watching():
        program.run(partial(_unwrap, main))


def run_parts(doc: str | None, parts: dict[str, Callable[[SparkJob], None]]) -> None:
    """Runs the parts of a step in one session, in order, through that of `--until`."""
    job = SparkJob.from_args(doc, parts=parts)
    for name, compute in parts.items():
        began = time.monotonic()
        compute(job.part())
        print(f"{name}: {time.monotonic() - began:.1f} s")
        if name == job.until:
            break


def _unwrap(main: Callable[[], None]) -> None:
    try:
        main()
    except PythonException as error:
        kind, _, message = str(error).strip().splitlines()[-1].partition(": ")
        if not kind.startswith(f"{TidemarkError.__module__}."):
            raise
        raise TidemarkError(message) from error
    except CapturedException as error:
        raise _typed(error) from error


def _typed(error: CapturedException) -> Exception:
    """An error of Spark that a file or a source's expression can cause, in one line; others keep their traceback."""
    state = error.getSqlState() or INTERNAL
    if state.startswith(INTERNAL):
        return error
    reason = " ".join((error.getMessage() or str(error)).partition("\n\n")[0].partition(" SQLSTATE")[0].split())
    if state.startswith(UNREADABLE):
        return LandingError(f"Spark cannot read what it was given: {reason}; deliver the file again")
    return SourceError(f"an expression fails on a row: {reason}; correct it in the source file, such as with try_cast")
