"""# Adapt the text encoder

Fine-tunes the text encoder on the shop's own texts: items that users came to together, queries and what was clicked
after them, reviews, categories. It learns from days up to a cut and is judged on the days after it. Each month, and by
hand with a day as partition key.

When it is better on cold items and nowhere worse, the nights from the next one on use it: that night encodes all items
again, and because the champion was trained on the vectors of before, trains a new one before it scores. So vectors,
topics and model are switched in one night, which takes as long as a weekly training more.

**If it fails**
- `wait_for_history`: the nightly run of that day is not published yet; see `nightly_features`.
- `adapt`: clear it; it resumes from its last checkpoint. "out of memory" names the choice to change.
- `promote_encoder` succeeded and nothing changed: the adaptation was turned down; the task's log says why.
- `score` of a night that ran during the promotion says "expected vectors of": clear `is_there_none` of that night, with
  all that follows.

Back to the encoder of before: `python -m training.promote_encoder --rollback`. More: `docs/reference/model.md`.
"""

from airflow.sdk import DAG

from pipeline.airflow import tasks
from pipeline.airflow.timetable import BusinessDays
from pipeline.runtime.settings import load_settings

settings = load_settings()

# When the last day of the month is over; it waits for that night's publish.
each_month = BusinessDays(timezone=settings.business_tz, monthly=True)

with DAG(
    "adapt_encoder",
    description="The text encoder fine-tuned on the shop's own texts",
    schedule=each_month,
    catchup=False,
    max_active_runs=1,
    default_args=tasks.defaults(settings, owner="machine-learning"),
    tags=["tidemark", "monthly", "training"],
    user_defined_filters={"slug": tasks.slug},
    doc_md=__doc__,
) as dag:
    wait_for_history = tasks.await_history(settings)
    wait_for_history >> tasks.adapt_tasks(settings)
