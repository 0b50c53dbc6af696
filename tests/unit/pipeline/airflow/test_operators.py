"""The operators, run without a scheduler: what they run, and what they say when it fails."""

import json
import os
import sys
from pathlib import Path

import pytest
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    AirflowSkipException,
)

from pipeline.airflow.operators import Await, Command, SparkJob
from pipeline.orchestration import step_commands
from pipeline.orchestration.step_commands import AUDIT_FAILED, portable
from pipeline.runtime.settings import Settings


def command(code: str, **kwargs) -> Command:
    return Command(task_id="step", command=[sys.executable, "-c", code], **kwargs)


def test_the_last_line_is_the_result() -> None:
    assert command("print('hello'); print(7)").execute({}) == "7"


def test_a_command_runs_on_the_machine_of_its_task(home: Settings) -> None:
    """What a DAG holds says neither which interpreter read it nor where the project lay."""
    command = portable(step_commands.champion("2026-01-01"))
    assert command[:3] == ["python", "-m", "training.champion"]
    code = "import sys, os; print(sys.executable, os.environ['TIDEMARK_HOME'])"
    shown = Command(task_id="step", command=["python", "-c", code], extra_env={"TIDEMARK_HOME": "given"}).execute({})
    assert shown == f"{sys.executable} given"
    assert Command(task_id="step", command=["python", "-c", code]).execute({}).endswith(str(home.home))


def test_settings_that_are_wrong_on_the_worker_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMARK_ACTIVE_DAYZ", "3")
    with pytest.raises(AirflowFailException, match="unknown setting TIDEMARK_ACTIVE_DAYZ, did you mean"):
        command("print(1)").execute({})


def test_a_spark_job_takes_its_master_from_the_connection_and_the_rest_from_the_worker(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit = tmp_path / "bin" / "spark-submit"
    submit.parent.mkdir()
    submit.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/given\n')
    submit.chmod(0o755)
    monkeypatch.setenv("PATH", f"{submit.parent}{os.pathsep}{os.environ['PATH']}")
    connection = {"conn_type": "spark", "host": "spark://spark-master", "port": 7077}
    monkeypatch.setenv("AIRFLOW_CONN_SPARK_DEFAULT", json.dumps(connection))
    monkeypatch.setenv("TIDEMARK_SPARK_EXECUTOR_MEMORY", "4g")
    monkeypatch.setenv("TIDEMARK_SPARK_EXECUTORS", "2-20")
    SparkJob(task_id="job", application="spark_jobs/land_days.py", application_args=["--ds", "D"]).execute({})
    given = (tmp_path / "given").read_text().splitlines()
    assert given[given.index("--master") + 1] == "spark://spark-master:7077"
    assert given[given.index("--driver-memory") + 1] == home.spark_memory
    assert given[-3:] == [str(step_commands.PROJECT / "spark_jobs/land_days.py"), "--ds", "D"]
    assert "spark.executor.memory=4g" in given
    assert "spark.dynamicAllocation.maxExecutors=20" in given
    assert f"spark.driver.extraJavaOptions={step_commands.java_options(home)}" in given


def test_no_shell_reads_the_command() -> None:
    shown = Command(task_id="step", command=["echo", "$HOME; false"]).execute({})
    assert shown == "$HOME; false"


def test_a_failure_says_what_the_program_said() -> None:
    with pytest.raises(AirflowException, match=r"^exit code 1: error: events: too few$"):
        command("import sys; sys.exit('error: events: too few')").execute({})


def test_wrong_usage_is_never_tried_again() -> None:
    with pytest.raises(AirflowFailException, match="exit code 2"):
        command("import sys; sys.exit(2)").execute({})


def test_a_failed_audit_is_never_tried_again() -> None:
    failed = f"import sys; print('error: events: too few'); sys.exit({AUDIT_FAILED})"
    with pytest.raises(AirflowFailException, match=r"^exit code 4: error: events: too few$"):
        command(failed).execute({})


class Kept(dict):
    """As much of a task instance as keeping a value asks for."""

    def xcom_push(self, key: str, value: str) -> None:
        self[key] = value


def test_what_a_skipping_command_printed_is_kept() -> None:
    kept = Kept()
    with pytest.raises(AirflowSkipException, match="17"):
        command("print(17)", expected=3, skip_on=0, keep_as="champion").execute({"ti": kept})
    assert kept == {"champion": "17"}


def test_an_exit_code_can_skip_and_another_be_expected() -> None:
    task = {"expected": 3, "skip_on": 0}
    with pytest.raises(AirflowSkipException, match="17"):
        command("print(17)", **task).execute({})
    assert command("import sys; print('none'); sys.exit(3)", **task).execute({}) == "none"


def test_extra_environment_is_added() -> None:
    code = "import os; print(os.environ['COLOUR'], 'PATH' in os.environ)"
    assert command(code, extra_env={"COLOUR": "blue"}).execute({}) == "blue True"


class Instance:
    """As much of a task instance as a rescheduling sensor asks for."""

    def get_first_reschedule_date(self, context: object) -> None:
        return None


def wait(home: Settings, found: list[str], timeout: float, ds: str = "2026-01-02") -> object:
    sensor = Await(task_id="wait", missing=lambda settings, day: found, settings=home, ds=ds, timeout=timeout)
    return sensor.execute({"params": {}, "ti": Instance()})


def test_a_wait_ends_when_nothing_is_missing(home: Settings) -> None:
    assert wait(home, [], 60) is None


def test_a_wait_gives_its_slot_back(home: Settings) -> None:
    with pytest.raises(AirflowRescheduleException):
        wait(home, ["shop: no file"], 60)


def test_a_wait_that_times_out_names_what_is_missing(home: Settings) -> None:
    message = r"ds=2026-01-02: still missing after 0 min: shop: no file; bazaar: no file"
    with pytest.raises(AirflowSensorTimeout, match=message):
        wait(home, ["shop: no file", "bazaar: no file"], 0)


def test_a_run_without_partition_key_says_how_to_start_one(home: Settings) -> None:
    with pytest.raises(AirflowFailException, match=r"found 'None'; trigger the run with a part"):
        wait(home, [], 60, ds="None")
