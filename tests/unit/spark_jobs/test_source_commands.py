"""`source import` and `source check`: days from a history file, and what a day becomes."""

import gzip
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from pipeline.commands import source as source_command
from pipeline.runtime.errors import LandingError, SourceError
from pipeline.runtime.settings import Settings
from pipeline.sources.landing import find_source, landed_days, missing
from spark_jobs import check_source, import_history
from tests.unit.spark_jobs.landed_shop import HEADER, TOML, land, open_shop

pytestmark = pytest.mark.spark
HISTORY = (
    "anna,view,mug,2011-07-01 23:59:59,\nanna,view,cup,2011-07-02 00:00:00,\n"
    'bert,view,"mug, big",2011-07-01 12:00:00,\nbert,view,mug,soon,\nbroken\n'
)


def import_files(monkeypatch: pytest.MonkeyPatch, name: str, *files: object) -> None:
    monkeypatch.setattr(sys, "argv", ["import", name, *map(str, files)])
    import_history.main()


def test_lines_land_unchanged_on_their_local_day(
    spark: SparkSession, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_shop(home, TOML.replace("{ds}*", "{ds}-*.csv.gz"))
    history = land(home, "../history.csv", HEADER + HISTORY)
    import_files(monkeypatch, "shop", history)
    lines = HISTORY.splitlines(keepends=True)
    first = gzip.decompress((home.landing / "shop" / "2011-07-01-import.csv.gz").read_bytes()).decode()
    assert first == HEADER + lines[0] + lines[2] + lines[3] + lines[4]
    second = gzip.decompress((home.landing / "shop" / "2011-07-02-import.csv.gz").read_bytes()).decode()
    assert second == HEADER + lines[1]


def test_parquet_lands_in_its_own_types_within_the_bounds(
    spark: SparkSession, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    midnight = 1_511_539_200  # 2017-11-25 00:00 in Shanghai, a day earlier in UTC
    times = [midnight - 1, midnight, midnight + 86_400, None]
    rows = {"user": [1, 2, 3, 4], "item": [7] * 4, "ts": times, "event": ["buy"] * 4}
    history = pa.table(rows)
    file = home.home / "history.parquet"
    pq.write_table(history, file)
    import_files(monkeypatch, "tmall", file)
    assert landed_days(home) == ["2017-11-25", "2017-11-26"]
    first = pq.read_table(home.landing / "tmall" / "2017-11-25.parquet")
    assert first.schema.types == history.schema.types
    assert sorted(first["user"].to_pylist()) == [1, 2, 4]
    assert missing(home, "2017-11-25") == []
    assert missing(home, "2017-12-03") == ["tmall: no file matches landing/tmall/2017-12-03.parquet"]


def test_what_was_imported_is_not_overwritten(
    spark: SparkSession, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_shop(home, TOML.replace("{ds}*", "{ds}.csv"))
    history = land(home, "../history.csv", HEADER + HISTORY)
    landed = land(home, "shop/2011-07-02.csv", HEADER)
    with pytest.raises(LandingError, match=r"2011-07-02\.csv: expected no file yet"):
        import_files(monkeypatch, "shop", history)
    assert list((home.landing / "shop").iterdir()) == [landed]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"an\0a,view,mug,2011-07-01,\n", "history.csv: line 7 cannot be imported (null_byte)"),
        (None, "history.csv: no record has an event_time"),
    ],
)
def test_what_cannot_be_imported_is_named(
    spark: SparkSession,
    home: Settings,
    monkeypatch: pytest.MonkeyPatch,
    line: bytes | None,
    message: str,
) -> None:
    open_shop(home, TOML.replace("{ds}*", "{ds}.csv"))
    content = (HEADER + HISTORY).encode() + line if line else (HEADER + "broken\n").encode()
    with pytest.raises(LandingError) as caught:
        import_files(monkeypatch, "shop", land(home, "../history.csv", content))
    assert message in str(caught.value)


def test_check_shows_rows_counts_and_rejects(
    spark: SparkSession,
    home: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    open_shop(home)
    land(home, "shop/2011-07-01.csv", HEADER + HISTORY)
    land(home, "shop/2011-06-01.csv", HEADER)
    monkeypatch.setattr(sys, "argv", ["check", str(home.sources / "shop.toml")])
    check_source.main()
    shown = capsys.readouterr().out
    assert "shop 2011-07-01: 5 rows in 1 files" in shown
    table = [line.split()[:2] for line in shown.splitlines() if line.strip()]
    assert ["view", "3"] in table
    assert ["bad_event_time", "1"] in table
    assert ["malformed", "1"] in table
    assert "shop:mug, big" in shown
    assert not home.staging.exists()


def test_check_finds_a_wrong_file_before_spark_starts(home: Settings) -> None:
    open_shop(home, TOML.replace("user_id", "user"))
    with pytest.raises(SourceError, match=r"shop\.toml: event\.user_id: expected a text"):
        source_command.check_source(home.sources / "shop.toml", None)


def test_import_finds_a_wrong_name_before_spark_starts(home: Settings) -> None:
    with pytest.raises(SourceError, match="nobody: no source of that name"):
        source_command.import_history(home, "nobody", [Path("x.csv")])


def test_shipped_history_sources_name_their_bounds(home: Settings) -> None:
    rocket = find_source(home, "retail_rocket").delivery
    assert (rocket.first_day, rocket.last_day) == ("2015-05-03", "2015-09-18")
