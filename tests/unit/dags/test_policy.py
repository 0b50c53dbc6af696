"""What every DAG must be: light to import, documented, owned, with retries and pools by kind."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.orchestration.graph import before
from pipeline.orchestration.step_commands import PROJECT
from pipeline.orchestration.steps import NIGHT, STEPS, TRAINING_STEPS

FOLDER = Path(__file__).parents[3] / "dags"
DAGS = sorted(FOLDER.glob("*.py"))
HEAVY = ("pyspark", "torch", "transformers", "mlflow", "great_expectations", "pyiceberg", "pandas")


def load(path: Path, monkeypatch: pytest.MonkeyPatch):
    import runpy

    monkeypatch.syspath_prepend(str(path.parent))
    return runpy.run_path(str(path))["dag"]


@pytest.fixture(params=DAGS, ids=lambda path: path.stem)
def dag(request, home, monkeypatch):
    return load(request.param, monkeypatch)


@pytest.mark.parametrize("path", DAGS, ids=lambda path: path.stem)
def test_importing_a_dag_brings_in_nothing_heavy(path: Path, home) -> None:
    code = (
        f"import runpy, sys; runpy.run_path({str(path)!r}); print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip().splitlines()[-1:] == ["[]"], done.stderr


def test_the_file_is_named_like_the_dag_and_short(dag) -> None:
    path = Path(dag.fileloc)
    assert path.stem == dag.dag_id
    assert len(path.read_text().splitlines()) <= 100


def test_docs_owner_tags(dag) -> None:
    assert "If it fails" in dag.doc_md
    assert "tidemark" in dag.tags and len(dag.tags) >= 3
    assert not dag.catchup and dag.max_active_runs <= 2
    for task in dag.tasks:
        assert task.doc_md, task.task_id
        assert task.owner in {"data-engineering", "machine-learning"}, task.task_id


def test_every_task_is_tried_again(dag) -> None:
    """The operator itself makes a failed audit final, by its exit code (test_operators.py)."""
    for task in dag.tasks:
        assert task.retries == (1 if task.task_id.endswith("train") else 2), task.task_id


def test_every_task_has_an_end_by_its_kind(dag) -> None:
    """Spark 6 h, training and scoring a day, the wait for landing its own limit, the rest 2 h."""
    for task in dag.tasks:
        assert task.execution_timeout, task.task_id
        longest = task.pool == "torch" or task.task_id == "repair"  # which runs steps of every kind
        kind = "spark" if task.pool == "spark" else "torch" if longest else "other"
        hours = task.execution_timeout.total_seconds() / 3600
        if task.task_id != "wait_for_landing":
            assert hours == {"spark": 6, "torch": 24, "other": 2}[kind], task.task_id
        else:
            assert hours > task.timeout.total_seconds() / 3600


def test_every_task_says_that_it_failed_once_somebody_is_to_be_told(home, monkeypatch) -> None:
    for path in DAGS:
        assert not any(task.on_failure_callback for task in load(path, monkeypatch).tasks)
    monkeypatch.setenv("TIDEMARK_NOTIFY_MAIL", "ops@shop.example")
    monkeypatch.setenv("TIDEMARK_NOTIFY_WEBHOOK", "https://chat.example/hook")
    for path in DAGS:
        dag = load(path, monkeypatch)
        assert all(len(task.on_failure_callback) == 2 for task in dag.tasks), path
        assert bool(dag.deadline) == (dag.dag_id == "nightly_features")


def test_the_night_waits_for_its_files_in_the_triggerer(home, monkeypatch) -> None:
    from pipeline.airflow.start import airflow_servers

    nightly = load(FOLDER / "nightly_features.py", monkeypatch)
    assert type(nightly.get_task("wait_for_landing")).__name__ == "AwaitLanding"
    assert [server.command[1:] for server in airflow_servers(home) if server.name == "airflow-triggerer"] == [
        ["triggerer", "--skip-serve-logs"]
    ]
    assert {"allow_empty", "incomplete"} <= set(nightly.params)


def test_every_step_with_tables_is_a_job_and_its_release(dag) -> None:
    """The release audits and publishes exactly the step's tables, in their order, with a link to each one's page."""
    writes = {step.name: list(step.writes) for step in STEPS}
    for task in dag.tasks:
        if not task.task_id.endswith(".release"):
            continue
        group = task.task_id.removesuffix(".release")
        assert task.upstream_task_ids == {f"{group}.job"}
        tables = [value for flag, value in pairwise(task.command) if flag == "--table"]
        assert tables == writes[group.rpartition(".")[2]]
        assert [link.name for link in task.operator_extra_links] == [f"Data Docs: {table}" for table in tables]
        keys = [link.xcom_key for link in task.operator_extra_links]
        assert len(set(keys)) == len(keys)


def test_heavy_tasks_share_pools(dag) -> None:
    for task in dag.tasks:
        is_spark = type(task).__name__ == "SparkJob"
        assert (task.pool == "spark") == is_spark, task.task_id
    pools = {task.task_id.split(".")[-1]: task.pool for task in dag.tasks}
    assert pools.get("train", "torch") == "torch"
    assert all(task.pool_slots == 2 for task in dag.tasks if task.task_id.endswith("train"))
    assert pools.get("release", "default_pool") == "default_pool"


def test_no_task_holds_what_only_one_machine_knows(dag) -> None:
    for task in dag.tasks:
        fields = [getattr(task, name, "") for name in ("command", "application", "application_args", "conf")]
        text = str([*fields, getattr(task, "_application_args", ""), getattr(task, "expand_input", "")])
        assert sys.prefix not in text and str(PROJECT) not in text, task.task_id


def test_days_come_from_the_partition_key_alone(dag) -> None:
    for task in dag.tasks:
        text = str([getattr(task, name, "") for name in task.template_fields])
        assert "logical_date" not in text and "{{ ds" not in text, task.task_id


def test_every_step_is_documented() -> None:
    assert all(step.about.endswith(".") for step in STEPS)


def test_the_night_is_drawn_from_the_graph(home, monkeypatch) -> None:
    nightly = load(FOLDER / "nightly_features.py", monkeypatch)
    first, last = {}, {}
    for step in NIGHT:
        name = f"first_champion.{step.name}" if step.training else step.name
        first[step.name] = f"{name}.job" if step.writes else name
        last[step.name] = f"{name}.release" if step.writes else name
    first["examples"] = "first_champion.is_there_none"
    for step in NIGHT:
        needed = {last[one.name] for one in before(step, NIGHT)}
        found = set(nightly.get_task(first[step.name]).upstream_task_ids)
        waits = {task_id for task_id in found if task_id.startswith("wait_for_")}
        assert found - waits == needed, step.name
    drawn = {task.task_id for task in nightly.tasks}
    assert {*first.values(), *last.values()} <= drawn


def test_the_night_in_the_order_of_the_design(home, monkeypatch) -> None:
    nightly = load(FOLDER / "nightly_features.py", monkeypatch)

    def waits_for(task_id: str) -> set[str]:
        return set(nightly.get_task(task_id).upstream_task_ids)

    assert waits_for("land.job") == {"wait_for_landing", "wait_for_previous_day"}
    assert waits_for("derive.job") == {"land.release"}
    assert waits_for("wait_for_topics") == {"derive.release"}
    assert waits_for("describe.job") == {"wait_for_topics", "derive.release"}
    assert waits_for("first_champion.is_there_none") == {"land.release"}
    assert waits_for("first_champion.examples.job") == {"first_champion.is_there_none"}
    assert waits_for("first_champion.train") == {"first_champion.examples.release", "describe.release"}
    assert waits_for("profile.job") == {"describe.release"}
    assert waits_for("score.job") == {"first_champion.promote", "profile.release"}
    assert waits_for("segment.job") == waits_for("serve") == {"score.release"}
    assert waits_for("report") == {"segment.release", "serve"}
    assert [asset.name for asset in nightly.get_task("score.release").outlets] == ["user_features"]
    assert len(nightly.tasks) == 23


def test_the_night_asks_for_the_champion_once(home, monkeypatch) -> None:
    nightly = load(FOLDER / "nightly_features.py", monkeypatch)
    asking = [task for task in nightly.tasks if "training.champion" in str(getattr(task, "command", ""))]
    assert [task.task_id for task in asking] == ["first_champion.is_there_none"]
    assert (asking[0].skip_on, asking[0].keep_as) == (0, "champion")
    assert nightly.get_task("score.job").trigger_rule == "none_failed"
    assert set(TRAINING_STEPS) <= set(NIGHT)


def test_nightly_training_is_off_until_a_setting_says_so(home, monkeypatch) -> None:
    path = DAGS[0].parent / "nightly_training.py"
    off = load(path, monkeypatch)
    assert not off.timetable.can_be_scheduled
    monkeypatch.setenv("TIDEMARK_WARM_START", "true")
    on = load(path, monkeypatch)
    assert on.timetable.can_be_scheduled
    assert on.get_task("train").command[-1] == "--warm-start"
    weekly = load(DAGS[0].parent / "weekly_training.py", monkeypatch)
    assert "--warm-start" not in weekly.get_task("train").command


def test_the_ad_policy_follows_the_features_of_the_same_day(home, monkeypatch) -> None:
    from airflow.sdk import PartitionedAssetTimetable

    dag = load(FOLDER / "ad_policy.py", monkeypatch)
    assert isinstance(dag.timetable, PartitionedAssetTimetable)
    assert dag.timetable.asset_condition.name == "user_features"
    job = dag.get_task("ad_policy.job")
    assert job.upstream_task_ids == {"wait_for_segments"}
    assert job.command[job.command.index("--ds") + 1] == "{{ dag_run.partition_key }}"
    assert dag.get_task("ad_policy.release").upstream_task_ids == {"ad_policy.job"}
    assert [asset.name for asset in dag.get_task("ad_policy.release").outlets] == ["ad_policy"]
    assert dag.get_task("intervene.job").upstream_task_ids == set()  # a typo stops one of the two
    assert dag.get_task("intervene.release").upstream_task_ids == {"intervene.job"}
    assert dag.get_task("intervene.release").command[-4:-2] == ["--table", "interventions"]
    assert dag.get_task("uplift.job").upstream_task_ids == {"wait_for_segments"}


def test_the_intraday_refresh_is_a_chain_that_a_published_night_skips(home, monkeypatch) -> None:
    dag = load(FOLDER / "intraday_refresh.py", monkeypatch)
    assert dag.max_active_runs == 1
    steps = ("refresh", "rescore", "patch")
    chain = [f"{step}.{part}" for step in steps for part in ("job", "release")]
    assert dag.get_task("find_base").skip_on == 3
    for earlier, task_id in zip(["find_base", *chain], chain, strict=False):
        assert dag.get_task(task_id).upstream_task_ids == {earlier}
    for job, name in (
        ("refresh.job", "application_args"),
        ("rescore.job", "command"),
        ("patch.job", "command"),
        ("find_base", "command"),
    ):
        arguments = getattr(dag.get_task(job), name, None) or dag.get_task(job)._application_args
        assert arguments[arguments.index("--hour") + 1] == "{{ dag_run.partition_key }}"
    finished = dag.get_task("patch.release").outlets
    assert [asset.name for asset in finished] == ["user_features_intraday"]


def test_the_intraday_refresh_ticks_each_hour_once_a_setting_says_so(home, monkeypatch) -> None:
    path = FOLDER / "intraday_refresh.py"
    assert not load(path, monkeypatch).timetable.can_be_scheduled
    monkeypatch.setenv("TIDEMARK_INTRADAY", "true")
    on = load(path, monkeypatch).timetable
    assert on.can_be_scheduled and (on.expression, on.key_format) == ("0 * * * *", "%Y-%m-%dT%H")


def test_hourly_learning_follows_the_refresh_of_the_hour_when_it_is_on(home, monkeypatch) -> None:
    path = FOLDER / "hourly_learning.py"
    assert not load(path, monkeypatch).timetable.can_be_scheduled
    monkeypatch.setenv("TIDEMARK_HOURLY_LEARNING", "true")
    dag = load(path, monkeypatch)
    assert dag.timetable.asset_condition.name == "user_features_intraday"
    job = dag.get_task("learn.job")
    assert job.command[job.command.index("--hour") + 1] == "{{ dag_run.partition_key }}"
    assert job.pool == "torch" and not dag.get_task("learn.release").outlets


def test_a_dag_that_is_off_takes_a_partition_key_all_the_same(dag) -> None:
    """Airflow refuses the key of a run where the DAG's timetable knows of none."""
    from airflow.serialization.serialized_objects import DagSerialization

    timetable = DagSerialization.from_dict(DagSerialization.to_dict(dag)).timetable
    takes_key = timetable.partitioned or timetable.partitioned_at_runtime
    assert takes_key == (dag.dag_id not in ("maintenance", "repair"))


def test_the_encoder_is_adapted_each_month_by_torchrun_and_decided_on_after(home, monkeypatch) -> None:
    dag = load(FOLDER / "adapt_encoder.py", monkeypatch)
    assert dag.timetable.serialize()["monthly"]
    adapt, decide = dag.get_task("adapt"), dag.get_task("promote_encoder")
    assert adapt.upstream_task_ids == {"wait_for_history"} and decide.upstream_task_ids == {"adapt"}
    assert adapt.pool == decide.pool == "torch"
    assert "training.launch" in adapt.command  # torchrun, on loopback
    assert adapt.command[-5:-2] == ["training.adapt_encoder", "--ds", "{{ dag_run.partition_key }}"]
    assert decide.command[1:3] == ["-m", "training.promote_encoder"]
