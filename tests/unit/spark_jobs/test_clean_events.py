"""Ingest and clean as jobs: the accounting identity, a range equals its days, a rerun its run."""

from collections import Counter

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.runtime.settings import Settings
from pipeline.tables.registry import RAW_EVENTS
from spark_jobs.events.account import account, count_verdicts, expected_rows
from spark_jobs.events.clean import judge, keep_events, quarantine
from tests.unit.spark_jobs.landed_shop import HEADER, TOML, land, open_shop, rows_of, run_clean, run_ingest
from tests.unit.spark_jobs.published_rows import as_arrow, event, shop_like

pytestmark = pytest.mark.spark
DAYS = ["2011-03-01", "2011-03-02", "2011-03-03", "2011-03-04"]
TABLES = ("raw_events", "events", "quarantine", "accounting")


def land_four_days(home: Settings) -> None:
    """Duplicates within and across days, a file delivered twice, a bot, rejects, a closed day."""
    open_shop(home, TOML.replace("[event]", "closed_dates = [2011-03-03]\n[event]"))
    views = "".join(f"robot,view,i{n},2011-03-01 09:{n:02}:00,\n" for n in range(5))
    anna = "anna,purchase,mug,2011-03-01 10:00:00,2.5\n"
    soon = "anna,purchase,mug,2011-03-01 10:00:01,2.5\n"
    land(home, "shop/2011-03-01.csv", HEADER + views + anna + anna + soon + "broken\n")
    land(home, "shop/2011-03-02.csv", HEADER + anna + "bert,view,cup,2011-03-02 10:00:00,\n")
    land(home, "shop/2011-03-02-again.csv", HEADER + anna + "bert,view,cup,2011-03-02 10:00:00,\n")
    land(home, "shop/2011-03-04.csv", HEADER + anna + ",view,cup,2011-03-04 10:00:00,\n")


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMARK_BOT_EVENTS_PER_DAY", "4")
    monkeypatch.setenv("TIDEMARK_DEDUP_DAYS", "5")


def test_accounting_by_hand(
    spark: SparkSession, home: Settings, monkeypatch: pytest.MonkeyPatch, small_limits: None
) -> None:
    land_four_days(home)
    run_ingest(monkeypatch, DAYS[0], DAYS[-1])
    run_clean(monkeypatch, DAYS[0], DAYS[-1])
    reasons = [{"reason": "bot", "rows": 5}, {"reason": "malformed", "rows": 1}]
    assert rows_of("accounting") == [
        ("2011-03-01", "shop", 9, 1, 2, 6, reasons),
        ("2011-03-02", "shop", 4, 1, 3, 0, []),
        ("2011-03-03", "shop", 0, 0, 0, 0, []),
        ("2011-03-04", "shop", 2, 0, 1, 1, [{"reason": "missing_user_id", "rows": 1}]),
    ]


def test_a_day_that_may_be_missing_has_no_accounting_and_stops_nothing(
    spark: SparkSession, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stall is not required: its closed day is accounted for, its missing day is not; the shop has all days."""
    open_shop(home)
    stall = (
        TOML.replace('"shop"', '"stall"')
        .replace("shop/", "stall/")
        .replace("[delivery]", "required = false\n[delivery]")
    )
    open_shop(home, stall.replace("[event]", "closed_dates = [2011-03-03]\n[event]"), name="stall")
    for ds in DAYS:
        land(home, f"shop/{ds}.csv", HEADER + f"anna,view,mug,{ds} 10:00:00,\n")
    land(home, f"stall/{DAYS[0]}.csv", HEADER + f"bert,view,cup,{DAYS[0]} 10:00:00,\n")
    run_ingest(monkeypatch, DAYS[0], DAYS[-1])
    run_clean(monkeypatch, DAYS[0], DAYS[-1])
    found = {(ds, platform): rows for ds, platform, rows in rows_of("accounting", "ds", "platform", "rows_landed")}
    assert found == {(ds, "shop"): 1 for ds in DAYS} | {(DAYS[0], "stall"): 1, (DAYS[2], "stall"): 0}


def test_a_range_equals_its_days_and_a_rerun_its_run(
    spark: SparkSession, home: Settings, monkeypatch: pytest.MonkeyPatch, small_limits: None
) -> None:
    land_four_days(home)
    run_ingest(monkeypatch, DAYS[0], DAYS[-1])
    run_clean(monkeypatch, DAYS[0], DAYS[-1])
    of_range = {name: rows_of(name) for name in TABLES}
    run_clean(monkeypatch, DAYS[0], DAYS[-1])
    assert {name: rows_of(name) for name in TABLES} == of_range
    for ds in DAYS:
        run_ingest(monkeypatch, ds, ds)
    for ds in reversed(DAYS):
        run_clean(monkeypatch, ds, ds)
    assert {name: rows_of(name) for name in TABLES} == of_range


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "day": st.integers(0, 3),
            "account_id": st.sampled_from([f"user{number}" for number in range(12)]),
            "platform": st.sampled_from(["shop", "fair"]),
            "event_type": st.sampled_from(["view", "purchase"]),
            "second": st.sampled_from([0, 1, 2, 3, 100]),
            "reject_reason": st.sampled_from([None, None, None, "bad_price"]),
        }
    ),
    max_size=300,
)


@given(ROWS)
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_row_is_accounted_for_whatever_the_range(
    spark: SparkSession, home: Settings, rows: list[dict[str, object]]
) -> None:
    small = home.model_copy(update={"dedup_days": 2, "bot_events_per_minute": 2})
    raw = _raw(spark, rows).persist()
    whole = _clean(raw, DAYS, small)
    assert sum(landed for _, _, landed, *_ in whole[2]) == len(rows)
    for _, _, landed, events, duplicates, quarantined, reasons in whole[2]:
        assert landed == events + duplicates + quarantined
        assert quarantined == sum(reason["rows"] for reason in reasons)
    by_day = [_clean(raw, [ds], small) for ds in DAYS]
    for part in range(3):
        assert whole[part] == sorted((row for day in by_day for row in day[part]), key=str)
    raw.unpersist()


def _raw(spark: SparkSession, rows: list[dict[str, object]]) -> DataFrame:
    filled = [_row(number, **row) for number, row in enumerate(rows)]
    raw = spark.createDataFrame(as_arrow(RAW_EVENTS, filled)).coalesce(1)
    return raw.select("*", F.lit("f").alias("data_file"), F.monotonically_increasing_id().alias("data_row"))


def _row(number: int, day: int, second: int, **fields: object) -> dict[str, object]:
    """Content decides the event_id, as in the real thing: all but the arrival day."""
    content = f"{second} {fields['account_id']} {fields['platform']} {fields['event_type']}"
    time = f"2011-03-01T10:{second // 60:02}:{second % 60:02}"
    return event(time, event_id=content, arrival_ds=DAYS[day], source_file="f", **fields)


def _clean(raw: DataFrame, days: list[str], limits: Settings) -> tuple[list[tuple], ...]:
    """Events, quarantine and accounting of `days`, each in a fixed order."""
    sources = [shop_like("shop", "Europe/London", 2.0), shop_like("fair", "America/Lima")]
    own = raw.where(F.col("ds").isin(days))
    verdicts = judge(raw.where(F.col("ds") <= days[-1]), days, limits, sources).persist()
    events, bad = keep_events(own, verdicts), quarantine(own, verdicts)
    landed, kept, refused = (pl.from_arrow(frame.toArrow()).lazy() for frame in (own, events, bad))
    judged = count_verdicts(verdicts)
    counts = account(landed, kept, refused, judged, [(ds, "shop") for ds in days])
    expected = expected_rows(landed, judged, days)
    found = [_sorted(frame.collect().to_dicts()) for frame in (kept, refused, counts.lazy())]
    for facts, rows in zip(expected, found, strict=False):
        assert facts == dict.fromkeys(days, 0) | Counter(row[0] for row in rows)
    verdicts.unpersist()
    return tuple(found)


def _sorted(rows: list[dict]) -> list[tuple]:
    return sorted((tuple(row.values()) for row in rows), key=str)
