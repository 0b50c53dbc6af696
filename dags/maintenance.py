"""# Maintenance

Each week: expires the snapshots of every table that are older than `TIDEMARK_RETENTION_DAYS`, then
removes the files that nothing refers to any more. A rollback reaches back as far.

**If it fails:** clear the task; nothing that a table still refers to is ever removed, and what was
left behind goes the next time.
By hand: `python -m pipeline maintenance`. More: `docs/guides/deploy.md`.
"""

from airflow.sdk import DAG, CronTriggerTimetable

from pipeline.airflow import tasks
from pipeline.runtime.settings import load_settings

settings = load_settings()

with DAG(
    "maintenance",
    description="Old snapshots and files that nothing refers to",
    schedule=CronTriggerTimetable("0 12 * * 0", timezone=settings.business_tz),
    catchup=False,
    max_active_runs=1,
    default_args=tasks.defaults(settings, owner="data-engineering"),
    tags=["tidemark", "weekly", "tables"],
    doc_md=__doc__,
) as dag:
    tasks.maintain()
