"""Reading published tables, by the one-liners that the documentation gives."""

from dataclasses import replace

import duckdb
import pytest

from pipeline.runtime.errors import NotPublishedError, UsageError
from pipeline.runtime.settings import Settings
from pipeline.storage.publish import publish
from pipeline.storage.reading import as_declared, pinned_files, published, read, scan
from pipeline.tables.registry import EVENTS, TABLES, table_named
from pipeline.tables.schema import STRING, Column
from tests.unit.pipeline.staged_factory import DAY, SOUND, event, pass_audit, stage

NEXT = "2024-03-06"


def publish_events(settings: Settings, run: str, **days: list[dict[str, object]]) -> None:
    pass_audit(settings, stage(settings, "events", {**days}, run))
    publish(settings, table_named("events"), run)


@pytest.fixture
def two_days(home: Settings) -> Settings:
    """DAY with prices 1 and 2, NEXT with price 3."""
    next_day = event(3, price=3.0, ds=NEXT, arrival_ds=NEXT)
    publish_events(home, "r1", **{DAY: [event(1, price=1.0), event(2, price=2.0)], NEXT: [next_day]})
    return home


def test_arrow(two_days: Settings) -> None:
    rows = read("events", ds=DAY)
    assert rows.schema == table_named("events").schema
    assert sorted(rows["price"].to_pylist()) == [1.0, 2.0]
    assert read("events").num_rows == 3


def test_polars(two_days: Settings) -> None:
    assert scan("events").to_polars()["price"].sum() == 6.0


def test_pandas(two_days: Settings) -> None:
    frame = scan("events", ds=DAY).to_pandas()
    assert sorted(frame["price"]) == [1.0, 2.0]
    assert str(frame["event_time"].dt.tz) == "UTC"


def test_duckdb(two_days: Settings) -> None:
    with duckdb.connect() as connection:
        connection.register("events", scan("events").to_arrow())
        query = "SELECT ds, sum(price) FROM events GROUP BY ds ORDER BY ds"
        assert connection.execute(query).fetchall() == [(DAY, 3.0), (NEXT, 3.0)]


def test_duckdb_reads_the_pinned_files(two_days: Settings) -> None:
    snapshot, files = pinned_files("events", DAY, DAY, two_days)
    assert snapshot is not None
    assert duckdb.read_parquet(files).aggregate("count(*)").fetchall() == [(2,)]


def test_a_pinned_snapshot_does_not_see_a_later_publish(two_days: Settings) -> None:
    snapshot, before = pinned_files("events", DAY, NEXT, two_days)
    lazy = scan("events", ds=DAY)
    publish_events(two_days, "r2", **{DAY: [event(9, price=9.0)]})
    assert pinned_files("events", DAY, NEXT, two_days, snapshot) == (snapshot, before)
    assert sorted(lazy.to_arrow()["price"].to_pylist()) == [1.0, 2.0]
    assert read("events", ds=DAY)["price"].to_pylist() == [9.0]


@pytest.mark.parametrize("name", TABLES)
def test_every_table_is_read_in_its_declared_types(home: Settings, name: str) -> None:
    row = SOUND[name]
    pass_audit(home, stage(home, name, {str(row["ds"]): [row]}))
    publish(home, table_named(name), "r1")
    rows = read(name)
    assert rows.schema == table_named(name).schema
    [found] = rows.to_pylist()
    exact = [key for key, value in row.items() if isinstance(value, str | int | None)]
    assert {key: found[key] for key in exact} == {key: row[key] for key in exact}


def test_what_is_not_published_is_named(home: Settings) -> None:
    assert published("events", home) == {}
    assert pinned_files("events", DAY, DAY, home) == (None, [])
    with pytest.raises(NotPublishedError) as nothing:
        scan("events")
    assert str(nothing.value) == "events: nothing has been published yet; see `status`"
    publish_events(home, "r1", **{DAY: [event(1)]})
    with pytest.raises(NotPublishedError) as day:
        read("events", ds=NEXT)
    assert str(day.value) == (
        f"events ds={NEXT}: not published; published are 1 days, {DAY}..{DAY}; see `python -m pipeline tables`"
    )


def test_an_unknown_table_is_wrong_usage(home: Settings) -> None:
    with pytest.raises(UsageError, match="found 'event'"):
        read("event")


def test_a_column_declared_after_the_rows_were_written_is_null(home: Settings) -> None:
    publish_events(home, "r1", **{DAY: [event(1)]})
    newer = replace(EVENTS, columns=(*EVENTS.columns, Column("mood", STRING, "new", True)))
    rows = as_declared(scan("events").to_arrow(), newer)
    assert rows.schema.names == newer.schema.names
    assert rows["mood"].to_pylist() == [None]
    assert not rows.schema.field("event_id").nullable
