"""A program that starts Spark prints its own lines alone, and says in one line what an expression causes."""

import subprocess
import sys
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from pipeline.orchestration.step_commands import LOGGING, java_options
from pipeline.runtime.progress import Progress
from pipeline.runtime.settings import Settings
from spark_jobs.engine.job import run_job
from tests.unit.spark_jobs.landed_shop import HEADER, TOML, land, open_shop

PROJECT = Path(__file__).resolve().parents[3]


def checked(home: Settings, toml: str) -> subprocess.CompletedProcess[str]:
    open_shop(home, toml)
    land(home, "shop/2011-07-01.csv", HEADER + "anna,view,mug,2011-07-01 23:59:59,\n")
    command = [sys.executable, "-m", "pipeline", "source", "check", str(home.sources / "shop.toml")]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)


def own(lines: str) -> list[str]:
    """Without what is said of progress, which depends on how busy the machine is."""
    return [line for line in lines.splitlines() if not line.startswith("… ")]


@pytest.mark.spark
def test_a_check_prints_its_own_lines_alone(home: Settings) -> None:
    """Nine lines of Java, Spark and log4j stood before the first of them."""
    done = checked(home, TOML)
    assert (done.returncode, own(done.stderr)) == (0, [])
    assert done.stdout.splitlines()[0] == "shop 2011-07-01: 1 rows in 1 files"


@pytest.mark.spark
def test_an_error_that_spark_names_too_is_one_line(home: Settings) -> None:
    """A column that is not there was printed once more, as JSON."""
    done = checked(home, TOML.replace('item_id = "item"', 'item_id = "nothing"'))
    [line] = own(done.stderr)
    assert (done.returncode, done.stdout) == (1, "")
    assert line.startswith(f"error: {home.sources / 'shop.toml'}: event.item_id = 'nothing': ")


@pytest.mark.spark
def test_what_an_expression_causes_is_no_traceback(spark: SparkSession, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run_job(lambda: spark.sql("SELECT raise_error('no\n\nmore') FROM range(1)").collect() and None)
    assert ended.value.code == 1
    assert own(capsys.readouterr().err) == [
        "error: an expression fails on a row: [USER_RAISED_EXCEPTION] no; correct it in the source file, such as with "
        "try_cast"
    ]


def test_more_is_logged_where_it_is_asked_for(home: Settings) -> None:
    assert LOGGING.is_file()
    assert f"-Dlog4j2.configurationFile=file:{LOGGING}" in java_options(home)
    assert "-Dtidemark.log" not in java_options(home)
    loud = java_options(home.model_copy(update={"spark_log_level": "info"}))
    assert "-Dtidemark.log=info -Dtidemark.log.tasks=info" in loud


def test_progress_is_shown_seldom_and_once(capsys: pytest.CaptureFixture[str]) -> None:
    Progress().show("short work")
    seen = Progress(every=0)
    for line in ("1 of 2", "1 of 2", "2 of 2"):
        seen.show(line)
    assert capsys.readouterr().err.splitlines() == ["… 1 of 2", "… 2 of 2"]
