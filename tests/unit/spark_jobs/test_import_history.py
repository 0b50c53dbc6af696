"""`source import`: the days read back equal, are said to be what they are, and come once, whenever it is cut off."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from pipeline.runtime.errors import UsageError
from pipeline.runtime.settings import Settings
from pipeline.sources import imports
from pipeline.sources.landed_file import inspect
from pipeline.sources.landing import find_source, missing, source_days
from spark_jobs import import_history
from spark_jobs.landing import history_files
from spark_jobs.landing.map_source import map_source
from spark_jobs.landing.read import read_landing
from tests.unit.spark_jobs.landed_shop import HEADER, TOML, land, open_shop

pytestmark = pytest.mark.spark
CASE = Path(__file__).resolve().parents[2] / "cases" / "import_history"
HISTORY = (
    "anna,view,mug,2011-07-01 23:59:59,\nanna,view,cup,2011-07-04 00:00:00,\n"
    'bert,view,"mug, big",2011-07-01 12:00:00,\nbert,view,mug,soon,\nbroken\n'
)


def run_import(monkeypatch: pytest.MonkeyPatch, name: str, *files: object) -> None:
    monkeypatch.setattr(sys, "argv", ["import", name, *map(str, files)])
    import_history.main()


def mapped(spark: SparkSession, home: Settings, name: str, files: list[Path]) -> list[tuple[object, ...]]:
    """What a source makes of files, without their places."""
    source = find_source(home, name)
    landed = [inspect(path, str(path), "2011-07-01", source.delivery, False) for path in files]
    frames: list[DataFrame] = read_landing(spark, source.delivery, landed, home.max_record_bytes)
    rows = [
        row.asDict() for it in frames for row in map_source(it, source).drop("ds", "source_file", "evidence").collect()
    ]
    return sorted((tuple(map(str, row.values())) for row in rows), key=str)


@pytest.mark.parametrize(("name", "file"), [("hist", "history.csv"), ("histp", "history.parquet")])
def test_imported_days_read_back_equal(
    spark: SparkSession, home: Settings, monkeypatch: pytest.MonkeyPatch, name: str, file: str
) -> None:
    """A header with a quoted comma, and Parquet columns that the source does not declare."""
    shutil.copytree(CASE / "sources", home.sources)
    run_import(monkeypatch, name, CASE / file)
    days = [home.landing / name / f"2026-03-{day}{Path(file).suffix}" for day in (30, 31)]
    assert mapped(spark, home, name, days) == mapped(spark, home, name, [CASE / file])
    assert "10.5" in str(mapped(spark, home, name, days)) or name == "histp"


def test_files_of_other_headers_become_days_with_the_columns_of_all(
    spark: SparkSession, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_shop(home, TOML.replace("{ds}*", "{ds}.csv"))
    one = land(home, "../one.csv", HEADER + HISTORY)
    two = land(
        home, "../two.csv", 'at,"Note, own",who,what,item,price\n2011-07-01 08:00,"x, y",carl,view,mug,1\nbroken\n'
    )
    run_import(monkeypatch, "shop", one, two)
    days = sorted((home.landing / "shop").iterdir())
    assert mapped(spark, home, "shop", days) == mapped(spark, home, "shop", [one, two])
    assert "unknown.Note, own" in str(mapped(spark, home, "shop", days))


def test_days_without_records_and_rows_outside_are_told(
    spark: SparkSession, home: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Such a history imported well once, and then stopped the range load."""
    open_shop(home, TOML.replace("{ds}*", "{ds}.csv"))
    history = land(home, "../history.csv", HEADER + HISTORY)
    run_import(monkeypatch, "shop", history)
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "shop: 5 rows landed on 2 days, 2011-07-01..2011-07-04"
    assert told[1].startswith("outside: 2 rows without an event_time land on 2011-07-01")
    assert told[1].endswith(f": {history} line 5, {history} line 6")
    assert told[2] == "no records on 2 days of 2011-07-01..2011-07-04: 2011-07-02..2011-07-03"
    assert told[4] == "    closed_dates = [2011-07-02, 2011-07-03]"
    assert missing(home, "2011-07-02")
    open_shop(home, TOML.replace('{ds}*"', '{ds}.csv"\n' + told[4]))
    assert not missing(home, "2011-07-02")
    run_import(monkeypatch, "shop", history)
    assert capsys.readouterr().out.splitlines()[2:] == [], "nothing is missing any more"


def test_the_same_file_twice_is_refused(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    open_shop(home)
    one, two = (land(home, f"../{name}.csv", HEADER + HISTORY) for name in ("one", "two"))
    with pytest.raises(UsageError, match=r"two\.csv: has the same content as .*one\.csv; leave one of them out"):
        run_import(monkeypatch, "shop", one, two)


class Killed(BaseException):
    """Nothing is tidied up after it."""


@pytest.mark.parametrize(
    ("module", "name", "calls"),
    [
        (import_history, "index_days", 1),  # the second file is not indexed
        (history_files.TextDays, "write", 1),  # one day is whole, none has moved
        (imports, "_move", 1),  # one day has moved
        (imports.ImportFolder, "clear", 0),  # all have, and are not known to have
    ],
)
def test_an_import_that_was_killed_goes_on(
    spark: SparkSession,
    home: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    module: object,
    name: str,
    calls: int,
) -> None:
    open_shop(home, TOML.replace("{ds}*", "{ds}.csv"))
    files = [land(home, "../one.csv", HEADER + HISTORY), land(home, "../two.csv", HEADER + "c,view,x,2011-07-01,\n")]
    done: list[object] = []
    original: Callable[..., object] = getattr(module, name)

    def until_killed(*given: object) -> object:
        if len(done) == calls:
            raise Killed
        done.append(given)
        return original(*given)

    with monkeypatch.context() as cut:
        cut.setattr(module, name, until_killed)
        with pytest.raises(Killed):
            run_import(monkeypatch, "shop", *files)
    run_import(monkeypatch, "shop", *files)
    assert source_days(home, find_source(home, "shop")) == ["2011-07-01", "2011-07-04"]
    assert (home.landing / "shop" / "2011-07-01.csv").read_text().splitlines()[1:] == [
        *(line for line in HISTORY.splitlines() if "cup" not in line),
        "c,view,x,2011-07-01,",
    ]
    assert [path.suffix for path in sorted((home.home / "imports").iterdir())] == [".json", ".lock"]
    capsys.readouterr()
    run_import(monkeypatch, "shop", *files)
    assert "landed on 2 days, 2011-07-01..2011-07-04 before; nothing was left to do" in capsys.readouterr().out
