"""Derive sessions, the catalogue and user histories from events, in one Spark session.

    spark-submit spark_jobs/derive_days.py --from 2010-12-01 --to 2011-11-06
    spark-submit spark_jobs/derive_days.py --ds 2011-11-07 [--until sessionize]

Does the work of `build_sessions.py`, `build_catalogue.py` and `accumulate_history.py`: stages `sessions`, `items` and
`user_history`.
"""

from spark_jobs.accumulate_history import accumulate_days
from spark_jobs.build_catalogue import catalogue_days
from spark_jobs.build_sessions import sessionize_days
from spark_jobs.engine.job import run_job, run_parts


def main() -> None:
    run_parts(__doc__, {"sessionize": sessionize_days, "catalogue": catalogue_days, "accumulate": accumulate_days})


if __name__ == "__main__":
    run_job(main)
