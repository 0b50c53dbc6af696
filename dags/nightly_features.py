"""# Nightly features

Turns the behaviour logs that landed on one day into `user_features` of that day.
One run owns one partition: its **partition key** `YYYY-MM-DD`.

- **Trigger by hand:** *Trigger* → partition key = the day. Or `python -m pipeline nightly --ds D`.
- **Backfill:** *Trigger* → *Backfill* with a range of days, or `python -m pipeline airflow`
  `backfill create --dag-id nightly_features --from-date D1 --to-date D2`.

**If it fails**
- `wait_for_landing`: the message says what the day lacks by the rules of its source. Deliver it and
  clear the task; trigger the day with `incomplete` to take what is there, with `allow_empty` when
  nothing was delivered.
- `wait_for_previous_day`: earlier days landed and were never loaded. The message has the command.
- `*.job`: the last line of the log that starts with `error:` says what and where. Clear the task:
  a new attempt is staged, nothing half-done is ever visible.
- `*.release`, exit code 4: an audit failed. Open the **Data Docs** link of the table. The day stays
  unpublished, yesterday's table keeps serving. Mend the source or the data, then clear the `job`.
- `land.release`: "the day is held": a platform landed far from its usual number of rows. Deliver it
  again and clear `land.job`; or `python -m pipeline accept PLATFORM --ds D --reason …`, clear this.
- `*.release`: "published it from an attempt that began later" means that a newer run of the same
  day won; nothing is to be done.
- `wait_for_topics`: the night before did not get to its topics. The message has the command.
- `first_champion.*`: open the **MLflow run** on the task. A retry resumes from the checkpoint.
- `score.job [bucket]`: clear that bucket alone.
- `serve`: readers still get the night before. Mend the store, clear the task.

A rerun of a published day gives the same rows and publishes nothing.
More: `docs/guides/backfill-and-repair.md`.
"""

from airflow.sdk import DAG, Asset, Param

from pipeline.airflow import notices, tasks
from pipeline.airflow.timetable import BusinessDays
from pipeline.runtime.settings import load_settings

settings = load_settings()
user_features = Asset("user_features", group="tidemark")

# Starts when the day is over, and waits for its files. No start date: with one, the first start of
# a scheduler runs yesterday at once.
each_night = BusinessDays(timezone=settings.business_tz)

with DAG(
    "nightly_features",
    description="One day of behaviour logs to one partition of user features",
    schedule=each_night,
    catchup=False,
    max_active_runs=2,
    default_args=tasks.defaults(settings, owner="data-engineering"),
    deadline=notices.deadline(settings),
    params={
        "allow_empty": Param(settings.allow_empty, type="boolean", title="No file: no rows"),
        "model_version": Param("", type="string", title="Score with this version (empty: the champion of the day)"),
        "incomplete": Param(False, type="boolean", title="Take an incomplete day as it is"),
    },
    tags=["tidemark", "nightly", "features"],
    user_defined_filters={"slug": tasks.slug},
    doc_md=__doc__,
) as dag:
    waits = [tasks.await_landing(settings), tasks.await_earlier_days(settings)]
    night = tasks.night_groups(settings, outlets={"score": [user_features]})  # see pipeline/orchestration/steps.py
    wait_for_topics = tasks.await_earlier_topics(settings)

    waits >> night["land"]
    night["derive"] >> wait_for_topics >> night["describe"]
