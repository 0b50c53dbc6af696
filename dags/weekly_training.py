"""# Weekly training

Trains a challenger on everything known at the end of the week, evaluates it on a later window
against the champion and the baselines, and promotes it when it is not worse.
The **partition key** is the last day that it learns from: the Sunday.

**If it fails**
- `wait_for_history`: the nightly run of that day is not published yet; see `nightly_features`.
- `examples.release`, exit code 4: the audit failed; open **Data Docs** on the task.
- `train`: clear it; it resumes from its last checkpoint. The **MLflow run** has curves and log.
- `promote` succeeded and the champion is the old one: the challenger was worse. Its tags say by
  how much; the champion keeps scoring.

More: `docs/reference/model.md`.
"""

from airflow.sdk import DAG

from pipeline.airflow import tasks
from pipeline.airflow.timetable import BusinessDays
from pipeline.runtime.settings import load_settings

settings = load_settings()

# Starts when the Sunday that is its key is over, and waits for that night's publish.
each_week = BusinessDays(timezone=settings.business_tz, weekdays="7")

with DAG(
    "weekly_training",
    description="A challenger each week; champion when it is not worse",
    schedule=each_week,
    catchup=False,
    max_active_runs=1,
    default_args=tasks.defaults(settings, owner="machine-learning"),
    tags=["tidemark", "weekly", "training"],
    user_defined_filters={"slug": tasks.slug},
    doc_md=__doc__,
) as dag:
    wait_for_history = tasks.await_history(settings)
    wait_for_history >> tasks.training_tasks(settings)
