"""# Intraday refresh

Takes the files that landed since the last refresh, brings the users in them up to date, and writes
their rows over those of the night that serves online. One run owns one hour: its **partition key**
is `YYYY-MM-DDTHH` on the clock of `TIDEMARK_BUSINESS_TZ`. Each hour with `TIDEMARK_INTRADAY=true`.

- **Trigger by hand:** *Trigger* → partition key = any hour that has begun. Hours may be left out or
  repeated: a run takes what no finished one has taken. Or `python -m pipeline refresh --hour H`.

**If it fails** the night, and what earlier refreshes wrote, go on serving; the next run takes the
same files again.
- `find_base`: no night before the day is published. Skipped: the night of the day is.
- `refresh.job`: the last line that starts with `error:` names the file that is damaged or still
  being written. Deliver it again, clear the task, or wait for the next hour.
- `*.release`, exit code 4: an audit failed; open **Data Docs** on the task.
- `rescore.job`, `patch.job`, `*.release`: "newer" means that another refresh took the same files;
  nothing is to be done.
- `patch.job`: the online store. Mend it, clear the task.

More: `docs/guides/backfill-and-repair.md`.
"""

from airflow.sdk import DAG, Asset, CronPartitionTimetable, Param, PartitionedAtRuntime

from pipeline.airflow import tasks
from pipeline.orchestration.steps import PATCH, REFRESH, RESCORE
from pipeline.runtime.settings import load_settings

settings = load_settings()
user_features_intraday = Asset("user_features_intraday", group="tidemark")

# Ticks when the hour that is its key is over.
each_hour = CronPartitionTimetable("0 * * * *", timezone=settings.business_tz, run_offset=-1, key_format="%Y-%m-%dT%H")

with DAG(
    "intraday_refresh",
    description="What landed in the last hour, in the features of its users",
    schedule=each_hour if settings.intraday else PartitionedAtRuntime(),
    catchup=False,
    max_active_runs=1,  # a refresh goes on from the one before
    default_args=tasks.defaults(settings, owner="data-engineering"),
    params={"allow_empty": Param(settings.allow_empty, type="boolean", title="Take empty files")},
    tags=["tidemark", "hourly", "features"],
    user_defined_filters={"slug": tasks.slug},
    doc_md=__doc__,
) as dag:
    find_base = tasks.find_base()
    refresh = tasks.step_tasks(settings, REFRESH)
    rescore = tasks.step_tasks(settings, RESCORE)
    patch = tasks.step_tasks(settings, PATCH, outlets=[user_features_intraday])

    find_base >> refresh >> rescore >> patch
