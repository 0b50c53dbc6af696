"""Check a source file against a landed day.

    python -m spark_jobs.check_source my_shop.toml --ds 2011-11-07

Reads the day's landed files and prints what they become: mapped rows, counts by event type, rejects by reason with
examples. Writes nothing.
"""

import argparse
from pathlib import Path

from pipeline.runtime.days import parse_day
from pipeline.runtime.errors import LandingError
from pipeline.runtime.settings import Settings, load_settings
from pipeline.sources.landing import source_days
from pipeline.sources.source import Source, check_lateness, load_source
from spark_jobs.engine.job import run_job
from spark_jobs.engine.session import open_session
from spark_jobs.landing.ingest import ingest
from spark_jobs.landing.inspect import inspect_drop
from spark_jobs.landing.map_source import map_source
from spark_jobs.landing.odd_values import odd_values
from spark_jobs.landing.read import read_landing
from spark_jobs.landing.show import show_rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--ds", help="landed day; the latest by default")
    arguments = parser.parse_args()
    settings, source = load_settings(), load_source(arguments.file)
    check_lateness(source, settings.dedup_days)
    ds = parse_day(arguments.ds) if arguments.ds else _latest(settings, source)
    landed = inspect_drop(settings, source.delivery, [ds])
    if not landed:
        path = source.delivery.path.replace("{ds}", ds)
        raise LandingError(f"{source.platform}: no file matches landing/{path}")
    spark = open_session(settings, "Check source")
    rows = ingest(spark, [(source, landed)], settings).persist()
    print(f"{source.platform} {ds}: {rows.count()} rows in {len(landed)} files")
    show_rows(rows)
    read = read_landing(spark, source.delivery, landed, settings.max_record_bytes)
    for line in odd_values([map_source(it, source) for it in read]):
        print(f"warning: {line}")


def _latest(settings: Settings, source: Source) -> str:
    days = source_days(settings, source)
    if not days:
        raise LandingError(f"{source.platform}: no file matches landing/{source.delivery.path}")
    return days[-1]


if __name__ == "__main__":
    run_job(main)
