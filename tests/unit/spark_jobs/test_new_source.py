"""`source new` and `source check` over Spark: the facts of history files, of nested ones, and of two days."""

import sys
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from pipeline.commands import source as source_command
from pipeline.runtime.errors import UsageError
from pipeline.runtime.settings import Settings
from pipeline.sources.known import templates
from spark_jobs import check_source
from tests.unit.spark_jobs.landed_shop import HEADER, land, open_shop


@pytest.mark.spark
def test_files_that_have_not_landed_are_checked_whenever_they_happened(
    spark: SparkSession, home: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    template = templates()["otto"]
    sample = template.samples / "2022-08-29.jsonl"
    monkeypatch.setattr(sys, "argv", ["check", str(template.file), "--files", str(sample)])
    check_source.main()
    shown = capsys.readouterr().out
    assert "otto, 2022-08-29.jsonl: 5 rows in 1 files" in shown
    assert shown.endswith("5 rows = 5 events + 0 duplicates + 0 quarantined (0 of bots)\n")
    rows = [line.split() for line in shown.splitlines()]
    assert ["2022-08-29", "00:00", "3", "1", "1"] in rows
    assert ["2", "2", "1.00", "2.50", "4"] in rows
    assert ["session", "100.0%", "2", "12899779,", "12899780"] in rows


@pytest.mark.spark
def test_two_days_are_compared_on_a_page(
    spark: SparkSession, home: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    open_shop(home)
    lines = "anna,view,mug,2011-07-01 09:00:00,1\nbert,view,cup,2011-07-01 09:01:00,2\n"
    land(home, "shop/2011-07-01.csv", HEADER + lines)
    land(home, "shop/2011-07-02.csv", HEADER + lines.replace("07-01", "07-02") + "carl,view,cup,soon,2\n" * 3)
    page = home.home / "check.html"
    arguments = ["--ds", "2011-07-02", "--compare", "2011-07-01", "--html", str(page)]
    monkeypatch.setattr(sys, "argv", ["check", str(home.sources / "shop.toml"), *arguments])
    check_source.main()
    shown = capsys.readouterr().out
    rows = [line.split() for line in shown.splitlines()]
    assert ["records", "2", "5", "+150", "%"] in rows
    assert ["rejected", "as", "bad_event_time", "0", "3", "+3"] in rows
    assert "warning: 60% of the rows go to quarantine" in shown
    assert next(line for line in rows if line[:2] == ["bad_event_time", "3"])[2] == "shop/2011-07-02.csv:4"
    assert "rejected as bad_event_time" in page.read_text()


def test_a_template_is_written_once(home: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    source_command.new_source(home, "myshop", [], "shopify", True)
    file: Path = home.sources / "myshop.toml"
    assert file.read_text() == templates()["shopify"].named("myshop")
    assert str(file) in capsys.readouterr().out
    with pytest.raises(UsageError, match=r"myshop\.toml: expected no file yet"):
        source_command.new_source(home, "myshop", [], "shopify", True)
    with pytest.raises(UsageError, match="no template 'shopware'; expected one of adobe_analytics"):
        source_command.new_source(home, "other", [], "shopware", True)
    with pytest.raises(UsageError, match="expected a FILE to look at, or --template"):
        source_command.new_source(home, "other", [], None, False)


def test_a_job_that_fails_leaves_one_line(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = "import sys; print('WARNING: Using incubator modules', file=sys.stderr); sys.exit('error: shop: no file')"
    monkeypatch.setattr(source_command.sys, "executable", sys.executable)
    real = source_command.subprocess.run
    monkeypatch.setattr(
        source_command.subprocess, "run", lambda command, **options: real([command[0], "-c", noise], **options)
    )
    open_shop(home)
    with pytest.raises(source_command.LandingError, match=r"^shop: no file$"):
        source_command.check_source(home.sources / "shop.toml", None)
