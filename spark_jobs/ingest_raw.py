"""Ingest landed files.

    spark-submit spark_jobs/ingest_raw.py --from 2010-12-01 --to 2011-11-06
    spark-submit spark_jobs/ingest_raw.py --ds 2011-11-07

Reads `landing/` of [from, to] for every active source, writes staged partitions of `raw_events` and `landed_files`.
Every landed record becomes one row: an event, or a row with the reason why it is not one. A day whose files are
missing, damaged or change in the meantime is refused as a whole. The rows of a file that was read before and is not
there any more stay: landing may be purged. From `landing/identity.csv` and the `identities` of the day before it writes
staged partitions of `identities`: which person each account belongs to, and since when.
"""

from functools import partial

from pipeline.sources.landing import warnings
from pipeline.tables.registry import IDENTITIES, RAW_EVENTS
from spark_jobs.engine.job import SparkJob, run_job
from spark_jobs.landing.identities import dated_rows, identities, identity_versions, rows_by_day
from spark_jobs.landing.ingest import ingest
from spark_jobs.landing.inspect import check_unchanged, inspect_days, records_by_day, volume_facts
from spark_jobs.landing.ledger import entries, kept_rows, known_files, stage_ledger, vanished
from spark_jobs.landing.nested import with_elements_counted


def main() -> None:
    ingest_days(SparkJob.from_args(__doc__))


def ingest_days(job: SparkJob) -> None:
    """Stages `raw_events`, `landed_files` and `identities` of the job's days."""
    for line in warnings(job.settings):
        print(f"warning: {line}")
    of_map = job.part()  # rows of events are not made from the map, so it is no input of theirs
    dated = dated_rows(job)  # before it is read: a map that changes meanwhile makes the day stale
    versions = identity_versions(of_map)  # first: a map that is wrong is refused before anything is read
    known = known_files(job)
    landed = inspect_days(job.settings, job.sources, job.days, known)
    landed = with_elements_counted(job.spark, landed, job.settings)
    gone = vanished(known, landed)
    unchanged = partial(check_unchanged, landed)
    records = records_by_day(landed, job.days)
    for row in gone:
        records[row["ds"]] += row["records"]
    read = entries(landed, gone)
    try:
        made = ingest(job.spark, landed, job.settings)
        rows = made.frame().unionByName(kept_rows(job, gone)) if gone else made
        facts = {"rows": records, **volume_facts(landed, job.settings.allow_empty)}
        raw = job.stage(RAW_EVENTS, rows, facts=facts, before_complete=unchanged, landed=read)
    except Exception:
        unchanged()  # names the file when that is why it could not be read
        raise
    stage_ledger(job, raw, read)
    counts: dict[str, object] = {"rows": rows_by_day(versions, job.days)}
    of_map.stage_small(IDENTITIES, identities(versions, job.days), counts, landed=dated)


if __name__ == "__main__":
    run_job(main)
