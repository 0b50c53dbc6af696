"""# Repair

Makes again exactly what is stale: what was made from files, rows, settings or code that have changed
since. Runs each hour, and within minutes of a file that lands or changes after its day was loaded: the
triggerer looks out for those and updates the asset `landed_files`. Does nothing when nothing is stale.
Days that were never loaded are loaded when later ones are; the newest day is left to its night. A night
waits for the repair of what it builds on.

- **What is stale, and why:** `python -m pipeline stale`; what a repair would do: `… repair --dry-run`.
- **By hand:** `python -m pipeline repair [--from D1] [--to D2]`, or trigger this DAG.

**If it fails** what was repaired by then stays, and the next repair goes on.
- `repair`: the last line that starts with `error:` names the step, the day and the log. A landed file
  that is damaged is named: deliver it again, or take it away, and clear the task.
- "another repair of this home is under way": wait for its end.

More: `docs/guides/backfill-and-repair.md`.
"""

from airflow.sdk import DAG, Asset, AssetOrTimeSchedule, AssetWatcher, CronTriggerTimetable

from pipeline.airflow import tasks
from pipeline.airflow.triggers import LateFiles
from pipeline.runtime.settings import load_settings

settings = load_settings()

# Updated by the triggerer, not by the night: the events of a night have a partition key, and Airflow starts no run of a
# DAG without partitions for those.
late_files = AssetWatcher(name="late_files", trigger=LateFiles())
landed_files = Asset("landed_files", group="tidemark", watchers=[late_files])
each_hour = CronTriggerTimetable("30 * * * *", timezone=settings.business_tz)

with DAG(
    "repair",
    description="What was made from something that has changed since, made again",
    schedule=AssetOrTimeSchedule(timetable=each_hour, assets=[landed_files]),
    catchup=False,
    max_active_runs=1,
    default_args=tasks.defaults(settings, owner="data-engineering"),
    tags=["tidemark", "hourly", "tables"],
    doc_md=__doc__,
) as dag:
    tasks.repair(settings)
