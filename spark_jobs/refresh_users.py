"""Refresh the users with records that landed since the base night.

    spark-submit spark_jobs/refresh_users.py --hour 2011-11-09T14 --run R

Reads the landed files of the open days, `raw_events` that duplicates are sought in, and the base night's
`user_history`. Stages the hour's day of `user_history_intraday`; and for the scoring that follows, never to be
published, `user_interests` and `user_signals` of the users it touched.
"""

from datetime import UTC, datetime

from pipeline.intraday.base import find_base, superseded_by
from pipeline.intraday.hour import arguments, day_of, parse_hour
from pipeline.intraday.taken import drop_profiles, finished, plan_refresh, publisher
from pipeline.runtime.settings import load_settings
from pipeline.sources.landing import active_sources
from spark_jobs.engine.job import SparkJob, run_job
from spark_jobs.engine.session import expect_wide_rows, open_session
from spark_jobs.landing.inspect import inspect_so_far
from spark_jobs.refresh.steps import Refresh


def main() -> None:
    began_at = datetime.now(UTC)
    given, settings = arguments(__doc__), load_settings()
    hour = parse_hour(given.hour, settings.business_tz)
    day = day_of(hour)
    if night := superseded_by(settings, day):
        print(f"refresh {hour}: nothing to do, the night of {night} is published")
        return
    base = find_base(settings, day)
    before = finished(settings, day, given.run)  # first: what is finished meanwhile is redone
    earlier = publisher(settings, day)
    landed = inspect_so_far(settings, active_sources(settings), base.open_days(day))
    files = [file for _, some in landed for file in some]
    plan = plan_refresh(files, before, base, hour, earlier)
    session = open_session(settings, "Refresh users")
    expect_wide_rows(session)
    job = SparkJob(settings, session, base.open_days(day), given.run)
    refresh = Refresh(job, base, hour, landed, plan, began_at)
    users = refresh.stage_histories()
    refresh.stage_profiles(users)
    drop_profiles(settings, before)
    print(f"refresh {hour}: {len(plan.files)} files taken, {users} users, base {base.ds}")


if __name__ == "__main__":
    run_job(main)
