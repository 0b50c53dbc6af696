"""# Repair

Makes again exactly what is stale: what was made from files, rows, settings or code that have changed
since. Runs each hour, and does nothing when nothing is stale. Days that were never loaded are loaded
when later ones are; the newest day is left to its night. A night waits for the repair of what it builds on.

- **What is stale, and why:** `python -m pipeline stale`; what a repair would do: `… repair --dry-run`.
- **By hand:** `python -m pipeline repair [--from D1] [--to D2]`, or trigger this DAG.

**If it fails** what was repaired by then stays, and the next repair goes on.
- `repair`: the last line that starts with `error:` names the step, the day and the log. A landed file
  that is damaged is named: deliver it again, or take it away, and clear the task.
- "another repair of this home is under way": wait for its end.

More: `docs/guides/backfill-and-repair.md`.
"""

from airflow.sdk import DAG, CronTriggerTimetable

from pipeline.airflow import tasks
from pipeline.runtime.settings import load_settings

settings = load_settings()

with DAG(
    "repair",
    description="What was made from something that has changed since, made again",
    schedule=CronTriggerTimetable("30 * * * *", timezone=settings.business_tz),
    catchup=False,
    max_active_runs=1,
    default_args=tasks.defaults(settings, owner="data-engineering"),
    tags=["tidemark", "hourly", "tables"],
    doc_md=__doc__,
) as dag:
    tasks.repair(settings)
