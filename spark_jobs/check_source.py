"""Check a source file against a landed day, or against files that have not landed.

    python -m spark_jobs.check_source my_shop.toml --ds 2011-11-07 --html check.html --compare 2011-11-06

Reads the day's landed files and prints what they become: each column with its filled share, values and examples, events
by type and over time, rejects by reason with file and line, sessions, duplicates. Of large files only the beginning is
read, which it says. Writes nothing but the page.
"""

import argparse
import tempfile
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import reduce
from pathlib import Path

import polars as pl
from pyspark.sql import DataFrame, SparkSession

from pipeline.report.source_check import Sessions, SourceCheck, print_check, write_page
from pipeline.runtime.days import parse_day
from pipeline.runtime.errors import LandingError
from pipeline.runtime.settings import Settings, load_settings
from pipeline.sources.heads import head_of
from pipeline.sources.landed_file import LandedFile, inspect
from pipeline.sources.landing import files, source_days
from pipeline.sources.source import Source, check_lateness, load_source
from spark_jobs.engine.job import run_job
from spark_jobs.engine.session import open_session
from spark_jobs.engine.writing import write_rows
from spark_jobs.events.clean import BOT, DUPLICATE, NEEDED, PLACE, verdict_kernel
from spark_jobs.events.sessions import COLUMNS as SESSION_COLUMNS
from spark_jobs.events.sessions import account_sessions
from spark_jobs.landing.ingest import ingest
from spark_jobs.landing.nested import map_records
from spark_jobs.landing.odd_values import looked_at, odd_values
from spark_jobs.landing.read import read_landing
from spark_jobs.landing.show import (
    SHOWN,
    canonical_columns,
    columns,
    over_time,
    own_columns,
    rejected,
    times,
    warnings,
)

SAMPLE_MB = 256  # of all files together; `--sample-mb` changes it
ANY_DAY = "1970-01-01"
JUDGED_ROWS = 1_000_000  # at once
FOR_EVER = 36_500  # days: of files that have not landed no row is too late


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--ds", help="landed day; the latest by default")
    parser.add_argument("--files", type=Path, nargs="+", help="files that have not landed, instead of a day")
    parser.add_argument("--compare", help="another landed day: what has changed since")
    parser.add_argument("--html", type=Path, help="write a page, too")
    parser.add_argument("--sample-mb", type=int, default=SAMPLE_MB, help="read about so much of all files together")
    arguments = parser.parse_args()
    settings, source = load_settings(), load_source(arguments.file)
    with tempfile.TemporaryDirectory() as folder:
        check, before = _checks(settings, source, arguments, Path(folder))
    print_check(check, before)
    if arguments.html:
        write_page(arguments.html, check, before)
        print(f"page: {arguments.html}")


def _checks(
    settings: Settings, source: Source, arguments: argparse.Namespace, folder: Path
) -> tuple[SourceCheck, SourceCheck | None]:
    limit = arguments.sample_mb << 20
    if arguments.files:
        named, share = _heads(source, [(path, path.name) for path in arguments.files], settings, folder, limit)
        spark = open_session(settings, "Check source")
        last = _look(spark, settings, source, named, folder)
        patient = replace(source, max_late_days=FOR_EVER)  # as if all had landed on the last day of their events
        names = ", ".join(file.name for file in named)
        return _facts(spark, settings, patient, named, last, f"{source.platform}, {names}", share, folder), None
    check_lateness(source, settings.dedup_days)
    ds = parse_day(arguments.ds) if arguments.ds else _latest(settings, source)
    days = [ds, *([parse_day(arguments.compare)] if arguments.compare else [])]
    landed = [_landed(settings, source, day, folder, limit) for day in days]  # before Spark starts: it may refuse
    spark = open_session(settings, "Check source")
    _look(spark, settings, source, landed[0][0], folder)
    checks = [
        _facts(spark, settings, source, found, day, f"{source.platform} {day}", share, folder)
        for day, (found, share) in zip(days, landed, strict=True)
    ]
    return checks[0], checks[1] if len(checks) > 1 else None


def _look(spark: SparkSession, settings: Settings, source: Source, found: list[LandedFile], folder: Path) -> str:
    """Warns of odd values; returns the last local day of the files' events."""
    read = read_landing(spark, source.delivery, found, settings.max_record_bytes)
    mapped = reduce(DataFrame.unionByName, [looked_at(map_records(rows, source)) for rows in read])
    rows = pl.scan_parquet(write_rows(mapped, folder / "mapped"))
    for line in odd_values(rows):
        print(f"warning: {line}")
    local = pl.col("event_time").dt.convert_time_zone(source.timezone).dt.date()
    last = rows.filter(pl.col("problem").is_null()).select(local.max()).collect().item()
    return str(last or ANY_DAY)


def _facts(
    spark: SparkSession,
    settings: Settings,
    source: Source,
    files: list[LandedFile],
    ds: str,
    title: str,
    share: float,
    folder: Path,
) -> SourceCheck:
    """What the files would become if they landed on `ds`; `share` of their bytes are in them."""
    files = [replace(file, ds=ds) for file in files]
    raw = pl.scan_parquet(
        write_rows(ingest(spark, [(source, files)], settings), folder / f"raw {ds}"), row_index_name="data_row"
    ).with_columns(data_file=pl.lit(""))
    # Files whose header is another one are counted by the first.
    landed = read_landing(spark, source.delivery, files, settings.max_record_bytes)[0]
    names, texts = own_columns(landed)
    rows = raw.select(pl.len()).collect().item()
    valid = raw.filter(pl.col("reject_reason").is_null())
    fates = _fates(valid, ds, settings, source, max(1, rows // JUDGED_ROWS))
    found = SourceCheck(
        platform=source.platform,
        title=title,
        files=tuple(file.name for file in files),
        records=sum(file.records for file in files),
        rows=rows,
        events=fates.events,
        duplicates=fates.verdicts[DUPLICATE],
        bots=fates.verdicts[BOT],
        share=share,
        own=columns(names, pl.scan_parquet(write_rows(texts, folder / f"own {ds}"))),
        canonical=columns(SHOWN, canonical_columns(valid)),
        rejected=rejected(raw),
        times=times(pl.concat(fates.times)),
        sessions=Sessions(fates.users, fates.sessions, fates.events, fates.longest),
    )
    return replace(found, warnings=tuple(warnings(found)))


@dataclass
class _Fates:
    """What becomes of valid rows, summed over parts of the accounts."""

    events: int = 0
    users: int = 0
    sessions: int = 0
    longest: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    times: list[pl.DataFrame] = field(default_factory=list)


def _fates(valid: pl.LazyFrame, ds: str, settings: Settings, source: Source, parts: int) -> _Fates:
    """Judges the valid rows and makes sessions of the events, whole accounts in each part."""
    gap, longest = timedelta(minutes=settings.session_gap_minutes), timedelta(hours=settings.session_max_hours)
    zones = {source.platform: source.timezone}
    judge = verdict_kernel([ds], settings, [source])
    found = _Fates()
    columns = list(dict.fromkeys((*NEEDED, *SESSION_COLUMNS)))
    for part in range(parts):
        rows = valid.filter(pl.col("account_id").hash() % parts == part).select(columns).collect()
        judged = judge(rows.select(NEEDED))
        found.verdicts.update(judged["verdict"].to_list())
        events = rows.join(judged, on=list(PLACE), how="anti")
        sessions = account_sessions(events.select(SESSION_COLUMNS), zones, gap, longest)
        found.events += len(events)
        found.users += sessions["account_id"].n_unique()
        found.sessions += len(sessions)
        found.longest = max(found.longest, *sessions["events"].to_list(), 0)
        found.times.append(over_time(events, source))
    return found


def _landed(settings: Settings, source: Source, ds: str, folder: Path, limit: int) -> tuple[list[LandedFile], float]:
    named = [(path, path.relative_to(settings.landing).as_posix()) for path in files(settings, source, ds)]
    if not named:
        path = source.delivery.path.replace("{ds}", ds)
        raise LandingError(f"{source.platform}: no file matches landing/{path}")
    return _heads(source, named, settings, folder / ds, limit)


def _heads(
    source: Source, named: list[tuple[Path, str]], settings: Settings, folder: Path, limit: int
) -> tuple[list[LandedFile], float]:
    """The files, or their beginnings where all together are larger than `limit`; and the share that was taken."""
    found, shares, sizes = [], [], []
    for number, (path, name) in enumerate(named):
        if not path.is_file():
            raise LandingError(f"{name}: expected a file, found none")
        own = folder / str(number)
        own.mkdir(parents=True, exist_ok=True)
        head = head_of(path, own, limit // len(named))
        found.append(inspect(head.file, name, "", source.delivery, settings.allow_empty))
        shares.append(head.share)
        sizes.append(path.stat().st_size)
    whole = sum(sizes) or 1
    return found, sum(share * size for share, size in zip(shares, sizes, strict=True)) / whole


def _latest(settings: Settings, source: Source) -> str:
    days = source_days(settings, source)
    if not days:
        raise LandingError(f"{source.platform}: no file matches landing/{source.delivery.path}")
    return days[-1]


if __name__ == "__main__":
    run_job(main)
