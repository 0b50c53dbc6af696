"""Operators of Tidemark's DAGs: run a command, wait for something, one click to the evidence."""

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.providers.standard.hooks.subprocess import SubprocessHook
from airflow.sdk import BaseOperator, BaseOperatorLink, BaseSensorOperator
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
)

from pipeline.airflow import waits
from pipeline.orchestration import step_commands
from pipeline.orchestration.step_commands import AUDIT_FAILED, OVERTAKEN
from pipeline.runtime.days import day_end, parse_day
from pipeline.runtime.errors import TidemarkError
from pipeline.runtime.settings import Settings, load_settings

WRONG_USAGE = 2
TRIGGER_GRACE = timedelta(minutes=10)  # the trigger keeps the time itself; after that there is no triggerer
FINAL = (WRONG_USAGE, AUDIT_FAILED, OVERTAKEN)  # trying again would end the same way


class Command(BaseOperator):
    """Runs a program without a shell, with the interpreter and the settings of the machine that runs the task; fails
    with the program's own last line.

    The exit code `skip_on` skips what follows, after the last line was kept as the XCom `keep_as`.
    Wrong usage (2), a failed audit (4) and rows whose inputs have moved (5) are never tried again.
    """

    template_fields: Sequence[str] = ("command", "extra_env")
    ui_color = "#e8f1f5"

    def __init__(
        self,
        *,
        command: list[str],
        extra_env: dict[str, str] | None = None,
        expected: int = 0,
        skip_on: int | None = None,
        keep_as: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.command = command
        self.extra_env = extra_env or {}
        self.expected = expected
        self.skip_on = skip_on
        self.keep_as = keep_as
        self._hook = SubprocessHook()

    def execute(self, context: Any) -> str:
        environment = {**os.environ, **step_commands.environment(_settings()), **self.extra_env}
        result = self._hook.run_command(step_commands.on_this_machine(self.command), environment)
        if result.exit_code == self.expected:
            return str(result.output)
        if result.exit_code == self.skip_on:
            if self.keep_as:
                context["ti"].xcom_push(key=self.keep_as, value=result.output)
            raise AirflowSkipException(result.output)
        failure = AirflowFailException if result.exit_code in FINAL else AirflowException
        raise failure(f"exit code {result.exit_code}: {result.output}")

    def on_kill(self) -> None:
        self._hook.send_sigterm()


class SparkJob(SparkSubmitOperator):
    """Submits a Spark job of the project to the master that the connection names.

    Where the project lies, and with what its jobs are started, is that of the machine that runs the task.
    """

    def execute(self, context: Any) -> None:
        settings = _settings()
        java = {"spark.driver.extraJavaOptions": step_commands.java_options(settings)}
        self.application = str(step_commands.PROJECT / self.application)
        self.conf = {**step_commands.executor_options(settings), **java, **(self.conf or {})}
        self._driver_memory = self._driver_memory or settings.spark_memory
        super().execute(context)


def _settings() -> Settings:
    try:
        return load_settings()
    except TidemarkError as error:
        raise AirflowFailException(f"error: {error}") from None


class DataDocsLink(BaseOperatorLink):
    """From a release to the page of Data Docs of one of its tables."""

    def __init__(self, table: str) -> None:
        self.table = table

    @property
    def name(self) -> str:
        return f"Data Docs: {self.table}"

    @property
    def xcom_key(self) -> str:
        return f"_link_data_docs_{self.table}"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        from pipeline.airflow.links import data_docs

        return data_docs(self.table, _argument(operator, "--run"))


class MlflowLink(BaseOperatorLink):
    """From a training task to its MLflow run."""

    name = "MLflow run"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        from pipeline.airflow.links import mlflow_run

        return mlflow_run(_argument(operator, "--run"))


class NightlyReportLink(BaseOperatorLink):
    """From the last step of a night to the page that it drew."""

    name = "Nightly report"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        from pipeline.airflow.links import nightly_report

        return nightly_report(_argument(operator, "--ds"))


class Release(Command):
    """A command that audits tables, then publishes them; each has its findings in Data Docs."""

    ui_color = "#fdf3d8"

    def __init__(self, *, command: list[str], **kwargs: Any) -> None:
        super().__init__(command=command, **kwargs)
        tables = [value for flag, value in pairwise(command) if flag == "--table"]
        self.operator_extra_links = tuple(DataDocsLink(table) for table in tables)


class Experiment(Command):
    """A command that writes to an MLflow run."""

    ui_color = "#efe6f7"
    operator_extra_links = (MlflowLink(),)


class Report(Command):
    """A command that draws the page of a night."""

    ui_color = "#dff1f0"
    operator_extra_links = (NightlyReportLink(),)


class Await(BaseSensorOperator):
    """Waits until `missing(settings, day)` is empty; else fails, naming what is missing."""

    template_fields: Sequence[str] = ("ds",)
    ui_color = "#e6f5e9"

    def __init__(
        self,
        *,
        missing: Callable[[Settings, str], list[str]],
        settings: Settings,
        ds: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(mode="reschedule", **kwargs)
        self.missing = missing
        self.settings = settings
        self.ds = ds

    def execute(self, context: Any) -> Any:
        try:
            return super().execute(context)
        except AirflowSensorTimeout:
            minutes = self.timeout / 60
            raise AirflowSensorTimeout(
                f"ds={self.ds}: still missing after {minutes:.0f} min: {'; '.join(self._found)}"
            ) from None

    def poke(self, context: Any) -> bool:
        try:
            day = parse_day(self.ds)
            allow_empty = context["params"].get("allow_empty", self.settings.allow_empty)
            settings = self.settings.model_copy(update={"allow_empty": allow_empty})
            self._found = self.missing(settings, day)
        except TidemarkError as error:
            hint = "trigger the run with a partition key"
            raise AirflowFailException(f"error: {error}; {hint}") from None
        for line in self._found:
            self.log.info("waiting: %s", line)
        return not self._found


def _argument(operator: Any, flag: str) -> str:
    return str(operator.command[operator.command.index(flag) + 1])


class AwaitLanding(BaseOperator):
    """Waits in the triggerer until the day has landed completely; else fails, naming what it lacks.

    The params `allow_empty` and `incomplete` of the run take a day without files, or a part of a day, as it is.
    """

    template_fields: Sequence[str] = ("ds",)
    ui_color = "#e6f5e9"

    def __init__(self, *, settings: Settings, ds: str, timeout: timedelta, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.settings = settings
        self.ds = ds
        self.timeout = timeout

    def execute(self, context: Any) -> None:
        from pipeline.airflow.triggers import LandingTrigger  # Airflow's core: too slow for parsing DAGs
        from pipeline.sources.landing import active_sources

        try:
            ds = parse_day(self.ds)
        except TidemarkError as error:
            raise AirflowFailException(f"error: {error}; trigger the run with a partition key") from None
        allow_empty = bool(context["params"].get("allow_empty", self.settings.allow_empty))
        incomplete = bool(context["params"].get("incomplete", False))
        try:
            settings = self.settings.model_copy(update={"allow_empty": allow_empty})
            lacking = waits.landing(settings, ds, incomplete)
        except TidemarkError as error:
            raise AirflowException(f"error: {error}") from None
        if lacking:
            for line in lacking:
                self.log.info("waiting: %s", line)
            now = datetime.now(UTC)
            # Where a platform's day is over later than the business day, it is waited for that long first.
            until = max(now, day_end(ds, [it.timezone for it in active_sources(settings)])) + self.timeout
            trigger = LandingTrigger(ds, allow_empty, incomplete, until.timestamp())
            self.defer(trigger=trigger, method_name="resume", timeout=until - now + TRIGGER_GRACE)

    def resume(self, context: Any, event: dict[str, Any]) -> None:
        """Goes on with what the trigger found."""
        if "error" in event:
            raise AirflowException(f"error: {event['error']}")
        if event["lacking"]:
            minutes = self.timeout.total_seconds() / 60
            raise AirflowSensorTimeout(
                f"ds={self.ds}: still missing after {minutes:.0f} min: {'; '.join(event['lacking'])}"
            )
