"""# Hourly learning

Judges what served, and the candidate trained before, on what came in during the hour; lets the
candidate serve where it is not worse, goes back to the champion where what served is; then trains
the next candidate. Runs when `user_features_intraday` of an hour is published, with
`TIDEMARK_HOURLY_LEARNING=true`; its **partition key** is that hour, `YYYY-MM-DDTHH`. The champion
is never written, and a new one ends what was learned from the old.

- **Why does this version serve?** `hourly_judgements`: a row an hour, with gains and reason.
- **Back to the champion at once:** `TIDEMARK_HOURLY_LEARNING=false`; the next refresh scores so.
- **Trigger by hand:** *Trigger* → partition key = the hour. Later hours must not be learned yet.

**If it fails** what served goes on serving, and the hour after judges it.
- `learn.job`: the last line that starts with `error:` says what is missing. Clear the task: an hour
  is judged once, however often it is tried.
- `learn.release`, exit code 4: the audit failed; open **Data Docs** on the task.
- It succeeded and learned nothing: the reason is in the hour's row.

More: `docs/reference/model.md`.
"""

from airflow.sdk import DAG, Asset, PartitionedAssetTimetable, PartitionedAtRuntime

from pipeline.airflow import tasks
from pipeline.orchestration.steps import LEARN
from pipeline.runtime.settings import load_settings

settings = load_settings()
user_features_intraday = Asset("user_features_intraday", group="tidemark")
each_refresh = PartitionedAssetTimetable(assets=user_features_intraday)

with DAG(
    "hourly_learning",
    description="Small, guarded steps from the champion on what came in during the hour",
    schedule=each_refresh if settings.hourly_learning else PartitionedAtRuntime(),
    catchup=False,
    max_active_runs=1,  # an hour is judged by what the one before has learned
    default_args=tasks.defaults(settings, owner="machine-learning"),
    tags=["tidemark", "hourly", "training"],
    user_defined_filters={"slug": tasks.slug},
    doc_md=__doc__,
) as dag:
    tasks.step_tasks(settings, LEARN)
