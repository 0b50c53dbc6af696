"""# Nightly training

Goes on training from the champion: few, small steps on what is new, with a replay of older rows.
The challenger is evaluated and promoted as in `weekly_training`, which trains from scratch on
Sundays. Off unless `TIDEMARK_WARM_START` is true; with a partition key it can be triggered anyway.
The **partition key** is the day that it learns from. Scoring does not wait for it.

**If it fails**
- `wait_for_history`: the nightly run of that day is not published yet; see `nightly_features`.
- `examples.release`, exit code 4: the audit failed; open **Data Docs** on the task.
- `train`: clear it; it resumes from its last checkpoint. "expected a model of text encoder": the
  encoder changed; run `weekly_training` for the day.
- `promote` succeeded and the champion is the old one: the challenger was worse, the champion stays.

More: `docs/reference/model.md`.
"""

from airflow.sdk import DAG, PartitionedAtRuntime

from pipeline.airflow import tasks
from pipeline.airflow.timetable import BusinessDays
from pipeline.runtime.settings import load_settings

settings = load_settings()

# As weekly_training, on the days that it leaves out.
each_night = BusinessDays(timezone=settings.business_tz, weekdays="1-6")

with DAG(
    "nightly_training",
    description="The champion trained on with what is new; champion when it is not worse",
    schedule=each_night if settings.warm_start else PartitionedAtRuntime(),
    catchup=False,
    max_active_runs=1,
    default_args=tasks.defaults(settings, owner="machine-learning"),
    tags=["tidemark", "nightly", "training"],
    user_defined_filters={"slug": tasks.slug},
    doc_md=__doc__,
) as dag:
    wait_for_history = tasks.await_history(settings)
    wait_for_history >> tasks.training_tasks(settings, warm_start=True)
