"""# Ad policy

Decides for each campaign who is shown which creative tomorrow, how often and where: judges the
declared challenger on the logged feedback, lets it take over only where its gain is certain,
and publishes `ad_policy` (with every propensity) and `policy_judgements` (with the reasons).
`intervene` lists whom to contact tomorrow, and why (`interventions`); `uplift` estimates whom an
ad changes, where an experiment allows it (`user_uplift`).
Runs when `user_features` of a day is published; its **partition key** is that day.

- **Campaigns** are the TOML files of `$TIDEMARK_HOME/campaigns/`; without any the day is empty.
- **Interventions** are declared in `$TIDEMARK_HOME/interventions.toml`; without it there are none.
- **Trigger by hand:** *Trigger* → partition key = the day.

**If it fails** yesterday's policies, or yesterday's list, stay in place.
- `wait_for_segments`: a campaign has an `audience`, and `segment_members` is not published yet.
- `ad_policy.job`, `intervene.job`: the last line that starts with `error:` names the file and the
  key, or the list of users that cannot be read. Correct it and clear the task.
- `*.release`, exit code 4: an audit failed; open **Data Docs** on the task.
- It succeeded, and a policy did not change: the reason is in `policy_judgements`. Feedback that
  cannot be right leaves that campaign's policy as it is, and names the rows.
- `experiments`: the last line that starts with `error:` names the experiment's file.
- `uplift.job`: the last line that starts with `error:` names the experiment's or campaign's file.
  A trial from which nothing can be learned fails nothing: the reason is in `uplift_judgements`.

More: `docs/guides/run-a-campaign.md`.
"""

from airflow.sdk import DAG, Asset, PartitionedAssetTimetable

from pipeline.airflow import tasks
from pipeline.orchestration.steps import AD_POLICY, EXPERIMENTS, INTERVENE, REPORT, UPLIFT
from pipeline.runtime.settings import load_settings

settings = load_settings()
user_features = Asset("user_features", group="tidemark")
ad_policy = Asset("ad_policy", group="tidemark")
interventions = Asset("interventions", group="tidemark")

with DAG(
    "ad_policy",
    description="Who is shown which ad tomorrow, with propensities and reasons",
    schedule=PartitionedAssetTimetable(assets=user_features),
    catchup=False,
    max_active_runs=1,  # a night's policy starts from the one before
    default_args=tasks.defaults(settings, owner="machine-learning"),
    tags=["tidemark", "nightly", "ads"],
    user_defined_filters={"slug": tasks.slug},
    doc_md=__doc__,
) as dag:
    wait_for_segments = tasks.await_segments(settings)
    policy = tasks.step_tasks(settings, AD_POLICY, outlets=[ad_policy])
    intervene = tasks.step_tasks(settings, INTERVENE, outlets=[interventions])
    uplift, experiments = tasks.step_tasks(settings, UPLIFT), tasks.step_tasks(settings, EXPERIMENTS)
    report = tasks.job(settings, REPORT, REPORT.name)

    wait_for_segments >> [policy, uplift]
    intervene >> experiments
    [policy, uplift, experiments] >> report  # the night's page is drawn again, now with what was decided
