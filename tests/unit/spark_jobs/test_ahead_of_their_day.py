"""Events dated after the end of their arrival day: no state and no label knows them before they have happened."""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from pipeline.features.as_of_join import as_of
from pipeline.runtime.days import day_end, day_range, shift
from pipeline.runtime.errors import AuditError
from pipeline.runtime.settings import Settings, load_settings
from pipeline.storage import reading, staging
from pipeline.storage.audit.conservation import check_history_counts
from pipeline.tables.registry import EVENTS, ITEMS, RAW_EVENTS, USER_HISTORY
from pipeline.tables.schema import Table
from spark_jobs import accumulate_history, build_catalogue, clean_events, ingest_raw
from tests.unit.spark_jobs.published_rows import Row, event, publish_rows, publish_staged

pytestmark = pytest.mark.spark
ANN, BOB = "0" * 32, "1" * 32
CAIRO = "Africa/Cairo"  # skips the midnight before 2024-04-26: the 25th is over at 22:00 UTC
DAYS = day_range("2024-04-24", "2024-04-28")
SHOP = f"""
platform = "shop"
timezone = "{CAIRO}"
[delivery]
path = "shop/{{ds}}.jsonl"
format = "jsonl"
columns = ["who", "item", "at"]
[event]
user_id = "who"
item_id = "item"
event_type = "'view'"
event_time = "to_timestamp(at)"
item_title = "item"
"""
# time (UTC), arrival day, day from which it is known, user
LOG = (
    ("2024-04-24T10:00:00", "2024-04-24", "2024-04-24", ANN),
    ("2024-04-25T21:59:59", "2024-04-25", "2024-04-25", ANN),
    ("2024-04-25T22:00:00", "2024-04-25", "2024-04-26", ANN),  # the instant at which the 25th is over
    ("2024-04-26T17:00:00", "2024-04-25", "2024-04-26", BOB),  # the next evening
    ("2024-04-26T09:00:00", "2024-04-26", "2024-04-26", ANN),
    ("2024-04-24T12:00:00", "2024-04-27", "2024-04-27", BOB),  # late
    ("2024-04-29T20:59:59", "2024-04-28", "2024-04-29", ANN),  # of the last day: known after all of them
)


def rows() -> list[Row]:
    return [
        event(
            time,
            event_id=f"{number:032x}",
            user_id=user,
            arrival_ds=arrival,
            known_ds=None if known == arrival else known,
            item_id=f"shop:{number}",
            source_file="-",
        )
        for number, (time, arrival, known, user) in enumerate(LOG)
    ]


@pytest.fixture
def shop(home: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("TIDEMARK_BUSINESS_TZ", CAIRO)
    monkeypatch.setenv("TIDEMARK_SERVING_DELAY_HOURS", "0")
    monkeypatch.setenv("TIDEMARK_ACTIVE_DAYS", "3")
    home.sources.mkdir()
    (home.sources / "shop.toml").write_text(SHOP)
    return load_settings()


def run(main: Callable[[], None], tables: tuple[Table, ...], settings: Settings, *arguments: str) -> list[Row]:
    """Runs a job and publishes its tables; all rows of the first afterwards."""
    name = "-".join([tables[0].name, *arguments])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["job", *arguments, "--run", name])
        main()
    for table in tables:
        publish_staged(settings, table, name)
    found: list[Row] = reading.read(tables[0].name, settings=settings).to_pylist()
    return sorted(found, key=lambda row: [row[key] for key in ("ds", *tables[0].key)])


def items_known(ds: str, user: str) -> list[str]:
    """By the log: what the user's history of a day holds, oldest first."""
    first = shift(ds, -2)
    known = [(time, f"shop:{n}") for n, (time, _, day, who) in enumerate(LOG) if who == user and first <= day <= ds]
    return [item for _, item in sorted(known)]


def test_nights_a_range_and_a_rebuild_hold_what_was_known(spark: SparkSession, shop: Settings) -> None:
    publish_rows(shop, EVENTS, rows(), DAYS)
    publish_rows(shop, RAW_EVENTS, rows(), DAYS)
    histories, items = [], []
    for ds in DAYS:
        histories = run(accumulate_history.main, (USER_HISTORY,), shop, "--ds", ds)
        items = run(build_catalogue.main, (ITEMS,), shop, "--ds", ds)
    for ds in DAYS:
        found = {row["user_id"]: [it["item_id"] for it in row["events"]] for row in histories if row["ds"] == ds}
        assert found == {user: held for user in (ANN, BOB) if (held := items_known(ds, user))}
        over = day_end(ds, [CAIRO])
        assert all(it["event_time"] < over for row in histories if row["ds"] == ds for it in row["events"])
        seen = [row["item_id"] for row in items if row["ds"] == ds]
        assert seen == [f"shop:{n}" for n, (_, _, day, _) in enumerate(LOG) if day <= ds]
    span = "--from", DAYS[0], "--to", DAYS[-1]
    assert run(accumulate_history.main, (USER_HISTORY,), shop, *span) == histories
    assert run(build_catalogue.main, (ITEMS,), shop, *span) == items


def test_a_label_of_the_next_morning_does_not_see_the_next_evening(spark: SparkSession, shop: Settings) -> None:
    """From landed files on: Bob's view of the evening of the 26th lies in the file of the 25th."""
    folder = shop.landing / "shop"
    folder.mkdir()
    for ds in DAYS[1:3]:
        landed = [(time, user, n) for n, (time, arrival, _, user) in enumerate(LOG) if arrival == ds]
        lines = [json.dumps({"who": user[0], "item": str(n), "at": f"{time}Z"}) for time, user, n in landed]
        (folder / f"{ds}.jsonl").write_text("\n".join(lines) + "\n")
    span = "--from", DAYS[1], "--to", DAYS[2]
    raw = run(ingest_raw.main, (RAW_EVENTS,), shop, *span)
    bob = next(row["account_id"] for row in raw if row["item_id"] == "shop:3")
    run(clean_events.main, (EVENTS,), shop, *span)
    run(accumulate_history.main, (USER_HISTORY,), shop, *span)
    day_over = day_end(DAYS[1], [CAIRO])
    times = [day_over, day_over + timedelta(hours=8), datetime(2024, 4, 26, 21, tzinfo=UTC)]  # the 26th is over
    labels = pa.table({"user_id": [bob] * 3, "event_timestamp": pa.array(times, pa.timestamp("us", "UTC"))})
    found = as_of(labels, ["events"], table="user_history", settings=shop)
    assert found["feature_ds"].to_pylist() == [None, None, DAYS[2]]
    assert [it["item_id"] for it in found["events"].to_pylist()[2]] == ["shop:3"]


def test_histories_are_audited_by_the_day_from_which_events_are_known(spark: SparkSession, shop: Settings) -> None:
    publish_rows(shop, EVENTS, rows(), DAYS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["job", "--from", DAYS[0], "--to", DAYS[-1], "--run", "r"])
        accumulate_history.main()
    manifests = staging.current(shop, USER_HISTORY.name, "r")
    check_history_counts(shop, "r", manifests)
    held_back = [row | {"known_ds": None} for row in rows()]
    publish_rows(shop, EVENTS, held_back, DAYS)
    with pytest.raises(
        AuditError, match=r"expected 3 events known from 2024-04-25 on \(published in events\), found 1"
    ):
        check_history_counts(shop, "r", manifests)
