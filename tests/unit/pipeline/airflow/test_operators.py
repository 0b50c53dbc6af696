"""The operators, run without a scheduler: what they run, and what they say when it fails."""

import sys

import pytest
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    AirflowSkipException,
)

from pipeline.airflow.operators import Await, Command
from pipeline.orchestration.step_commands import AUDIT_FAILED
from pipeline.runtime.settings import Settings


def command(code: str, **kwargs) -> Command:
    return Command(task_id="step", command=[sys.executable, "-c", code], **kwargs)


def test_the_last_line_is_the_result() -> None:
    assert command("print('hello'); print(7)").execute({}) == "7"


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
