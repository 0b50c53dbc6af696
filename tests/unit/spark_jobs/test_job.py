"""How a job ends: exit codes, and one clear last line also for what a worker raised."""

from collections.abc import Iterator

import pyarrow as pa
import pytest
from pyspark.errors import PythonException
from pyspark.sql import SparkSession

from pipeline.runtime.errors import LandingError, UsageError
from spark_jobs.engine.job import SparkJob, run_job


def ends_with(error: Exception) -> str | int | None:
    def main() -> None:
        raise error

    with pytest.raises(SystemExit) as ended:
        run_job(main)
    return ended.value.code


def test_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert ends_with(UsageError("days: expected one")) == 2
    assert capsys.readouterr().err == "error: days: expected one\n"
    assert ends_with(LandingError("file: broken")) == 1
    assert capsys.readouterr().err == "error: file: broken\n"


@pytest.mark.parametrize("argv", [[], ["--from", "2011-01-01"], ["--ds", "2011-1-1"]])
def test_days_are_checked_before_spark_starts(argv: list[str]) -> None:
    with pytest.raises(UsageError, match=r"days?: expected"):
        SparkJob.from_args("A job.", argv)


@pytest.mark.spark
def test_typed_error_of_a_worker_ends_like_any_other(spark: SparkSession, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run_job(lambda: fail_in_worker(spark, LandingError("day: expected rows; deliver again")))
    assert ended.value.code == 1
    assert capsys.readouterr().err.endswith("error: day: expected rows; deliver again\n")


@pytest.mark.spark
def test_other_errors_of_a_worker_keep_their_trace(spark: SparkSession) -> None:
    with pytest.raises(PythonException, match="ZeroDivisionError: none"):
        run_job(lambda: fail_in_worker(spark, ZeroDivisionError("none")))


def fail_in_worker(spark: SparkSession, error: Exception) -> None:
    def fail(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            raise error
            yield batch

    spark.range(1).mapInArrow(fail, "id long").toArrow()
