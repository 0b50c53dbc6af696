"""Land days: ingest files, then clean the rows, in one Spark session.

    spark-submit spark_jobs/land_days.py --from 2010-12-01 --to 2011-11-06
    spark-submit spark_jobs/land_days.py --ds 2011-11-07 [--until ingest]

Does the work of `ingest_raw.py` and `clean_events.py`: stages `raw_events`, `identities`, `events`, `quarantine` and
`accounting`. Cleaning reads the raw rows that this process staged, with the published ones of the days before; the
release publishes `raw_events` first.
"""

from spark_jobs.clean_events import clean_days
from spark_jobs.engine.job import run_job, run_parts
from spark_jobs.ingest_raw import ingest_days


def main() -> None:
    run_parts(__doc__, {"ingest": ingest_days, "clean": clean_days})


if __name__ == "__main__":
    run_job(main)
