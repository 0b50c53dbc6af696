"""Check a source file against a landed day, or against files that have not landed.

    python -m spark_jobs.check_source my_shop.toml --ds 2011-11-07 --html check.html --compare 2011-11-06

Reads the day's landed files and prints what they become: each column with its filled share, values and examples, events
by type and over time, rejects by reason with file and line, sessions, duplicates. Of large files only the beginning is
read, which it says. Writes nothing but the page.
"""

import argparse
import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

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
from spark_jobs.events.clean import BOT, DUPLICATE, judge, keep_events
from spark_jobs.events.sessions import sessionize
from spark_jobs.landing.ingest import ingest
from spark_jobs.landing.nested import map_records
from spark_jobs.landing.odd_values import odd_values
from spark_jobs.landing.read import read_landing
from spark_jobs.landing.show import SHOWN, columns, over_time, own_columns, rejected, warnings

SAMPLE_MB = 256  # of all files together; `--sample-mb` changes it
ANY_DAY = "1970-01-01"
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
        _warn_of_odd_values(spark, settings, source, named)
        return _of_history(spark, settings, source, named, share), None
    check_lateness(source, settings.dedup_days)
    ds = parse_day(arguments.ds) if arguments.ds else _latest(settings, source)
    days = [ds, *([parse_day(arguments.compare)] if arguments.compare else [])]
    landed = [_landed(settings, source, day, folder, limit) for day in days]  # before Spark starts: it may refuse
    spark = open_session(settings, "Check source")
    _warn_of_odd_values(spark, settings, source, landed[0][0])
    checks = [
        _facts(spark, settings, source, found, day, f"{source.platform} {day}", share)
        for day, (found, share) in zip(days, landed, strict=True)
    ]
    return checks[0], checks[1] if len(checks) > 1 else None


def _warn_of_odd_values(spark: SparkSession, settings: Settings, source: Source, found: list[LandedFile]) -> None:
    read = read_landing(spark, source.delivery, found, settings.max_record_bytes)
    for line in odd_values([map_records(rows, source) for rows in read]):
        print(f"warning: {line}")


def _of_history(
    spark: SparkSession, settings: Settings, source: Source, found: list[LandedFile], share: float
) -> SourceCheck:
    """Files that span any time: they are judged as if all had landed on the last day of their events."""
    lasts = []
    for frame in read_landing(spark, source.delivery, found, settings.max_record_bytes):
        local = F.from_utc_timestamp("event_time", source.timezone)
        row = map_records(frame, source).where("problem IS NULL").agg(F.max(local).cast("date").cast("string")).first()
        lasts += [row[0]] if row and row[0] else []
    patient = replace(source, max_late_days=FOR_EVER)
    names = ", ".join(file.name for file in found)
    return _facts(spark, settings, patient, found, max(lasts, default=ANY_DAY), f"{source.platform}, {names}", share)


def _facts(
    spark: SparkSession, settings: Settings, source: Source, files: list[LandedFile], ds: str, title: str, share: float
) -> SourceCheck:
    """What the files would become if they landed on `ds`; `share` of their bytes are in them."""
    files = [replace(file, ds=ds) for file in files]
    rows = ingest(spark, [(source, files)], settings).frame()
    place = {"data_file": F.lit(""), "data_row": F.monotonically_increasing_id()}
    raw = rows.withColumns(place).persist()
    valid = raw.where("reject_reason IS NULL")
    verdicts = judge(raw, [ds], settings, [source]).persist()
    fates = {row["verdict"]: row["count"] for row in verdicts.groupBy("verdict").count().collect()}
    events = keep_events(raw, verdicts).persist()
    landed = raw.count()
    found = SourceCheck(
        platform=source.platform,
        title=title,
        files=tuple(file.name for file in files),
        records=sum(file.records for file in files),
        rows=landed,
        events=events.count(),
        duplicates=fates.get(DUPLICATE, 0),
        bots=fates.get(BOT, 0),
        share=share,
        own=own_columns(spark, settings, source, files),
        canonical=columns(valid, SHOWN),
        rejected=rejected(raw),
        times=over_time(events, source),
        sessions=_sessions(events, settings, source),
    )
    for frame in (raw, verdicts, events):
        frame.unpersist()
    return replace(found, warnings=tuple(warnings(found)))


def _sessions(events: DataFrame, settings: Settings, source: Source) -> Sessions:
    gap, longest = timedelta(minutes=settings.session_gap_minutes), timedelta(hours=settings.session_max_hours)
    sessions = sessionize(events, {source.platform: source.timezone}, gap, longest)
    counts = sessions.agg(
        F.count_distinct("account_id").alias("users"),
        F.count("*").alias("sessions"),
        F.coalesce(F.sum("events"), F.lit(0)).alias("events"),
        F.coalesce(F.max("events"), F.lit(0)).alias("longest"),
    ).first()
    assert counts is not None
    return Sessions(counts["users"], counts["sessions"], counts["events"], counts["longest"])


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
