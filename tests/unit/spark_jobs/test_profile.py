"""The rows of `user_interests` together: huge histories, many users, what is counted of them."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from pipeline.tables.interests import MIGRATION_PATTERNS, MIGRATIONS, USER_INTERESTS
from pipeline.tables.registry import USER_HISTORY
from spark_jobs.interests import population
from spark_jobs.interests.migrations import migration_patterns, migrations
from spark_jobs.interests.profile import learn, numbered, profiles, user_interests
from spark_jobs.interests.touches import LISTS, Touches, find_touches
from spark_jobs.states.history import as_known, daily_counts, listed_events
from tests.unit.spark_jobs.published_rows import as_arrow
from tests.unit.spark_jobs.touched import history

DS = "2011-11-09"
ITEM_TOPICS = pa.table({"item_id": ["shop:a", "shop:b", "shop:c"], "topic_id": ["t0001", "t0002", "t0003"]})
TOPICS = ["t0001", "t0002", "t0003"]


def profiled(histories: pl.DataFrame, ds: str = DS) -> pl.DataFrame:
    items = numbered(ITEM_TOPICS, TOPICS)
    touches = Touches.of(find_touches(histories, items), len(histories))
    return profiles(histories, items, learn(touches, TOPICS, ds))


def test_a_million_events_of_one_user() -> None:
    """The history keeps the newest 1,024: here 100 a minute for a week."""
    number = 1_000_000
    end = datetime(2011, 11, 9, 23, 59)
    time = pl.Series(np.arange(number) * 600_000).cast(pl.Duration("us"))
    time = end - timedelta(microseconds=600_000 * number) + time
    events = pl.DataFrame(
        {
            "user_id": pl.repeat("u", number, eager=True),
            "platform": pl.repeat("shop", number, eager=True),
            "item_id": pl.Series(["shop:b"]).gather(np.zeros(number, dtype=int)),
            "event_type": pl.repeat("view", number, eager=True),
            "event_time": time,
            "arrival_ds": time.dt.to_string("%Y-%m-%d"),
            "quantity": pl.repeat(None, number, dtype=pl.Float64, eager=True),
            "price": pl.repeat(None, number, dtype=pl.Float64, eager=True),
            "text": pl.repeat(None, number, dtype=pl.String, eager=True),
        }
    )
    known = as_known(listed_events(events), daily_counts(events), DS, 365, 1024)
    event = pl.element().struct
    fields = {to: pl.col("events").list.eval(event.field(name)) for to, name in LISTS.items()}
    (row,) = profiled(known.select("user_id", **fields)).to_dicts()
    assert row["interest_events_long"] == 1024  # all of DS
    assert row["interests_long"][0]["topic_id"] == "t0002"
    assert (row["drift_stage"], row["weeks"]) == ("stable", ["2011-11-07"])


def made_up(users: int) -> list[dict[str, object]]:
    """Users with some days each; every fifth without any event."""
    random = np.random.default_rng(3)
    rows = []
    for user in range(users):
        days = np.sort(random.choice(200, random.integers(1, 40), replace=False))
        events = [
            (
                f"shop:{random.choice(list('abcd'))}",
                str(random.choice(["view", "purchase"])),
                (datetime(2011, 4, 24) + timedelta(days=int(day))).date().isoformat(),
            )
            for day in days
        ]
        rows.append({"user_id": f"{user:032x}", **history(events if user % 5 else [])})
    return rows


def test_a_night_without_any_event_changes_what_fades_and_nothing_else() -> None:
    """The same histories a day later: what was found stays found, and decays by a day."""
    lists = {name: pl.List(pl.String) for name in LISTS}
    histories = pl.DataFrame(made_up(60), schema_overrides=lists)
    tonight, tomorrow = (profiled(histories, ds) for ds in (DS, "2011-11-10"))
    faded = tonight["interest_events_short"] * 0.5 ** (1 / 14)
    assert np.allclose(tomorrow["interest_events_short"], faded)
    lasting = ["drift_p_value", "drift_from_topic", "drift_to_topic", "weekly_topics", "weeks"]
    assert tomorrow.select(lasting).equals(tonight.select(lasting))
    assert tomorrow["ds"].unique().to_list() == ["2011-11-10"]


@pytest.mark.spark
def test_chunks_and_tasks_do_not_matter(spark: SparkSession) -> None:
    """The job gives each user the row that the kernel gives all of them together."""
    names = {"items": "item_id", "kinds": "event_type", "days": "arrival_ds"}
    rows = made_up(60)
    histories = [
        {
            "user_id": row["user_id"],
            "events": [
                dict(zip(names.values(), event, strict=True))
                for event in zip(*(row[name] for name in names), strict=True)
            ],
        }
        for row in rows
    ]
    event = "struct<item_id:string,event_type:string,arrival_ds:string>"
    schema = f"user_id string, events array<{event}>"
    frame = spark.createDataFrame(histories, schema).repartition(3)
    found = pl.DataFrame(user_interests(frame, ITEM_TOPICS, DS).toArrow()).sort("user_id")
    lists = {name: pl.List(pl.String) for name in LISTS}
    expected = profiled(pl.DataFrame(rows, schema_overrides=lists)).select(found.columns)
    assert found.to_dicts() == expected.cast(found.schema).to_dicts()
    assert found["user_id"].to_list() == [row["user_id"] for row in rows]


@pytest.mark.spark
def test_a_large_population_is_learned_from_a_share(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(population, "SAMPLE_USERS", 100)
    rows = [{"user_id": f"{n * 2**32 // 400:08x}{n:024x}", **history([("shop:a", "view", DS)])} for n in range(400)]
    lists = "items array<string>, kinds array<string>, days array<string>"
    event = "named_struct('item_id', items[0], 'event_type', kinds[0], 'arrival_ds', days[0])"
    events = spark.createDataFrame(rows, f"user_id string, {lists}")
    nested = events.selectExpr("user_id", f"array({event}) AS events")
    known = spark.sparkContext.broadcast(numbered(ITEM_TOPICS, TOPICS))
    assert population.sample_touches(nested, known, 400).users == 100
    assert population.sample_touches(nested, known, 100).users == 400


def interests(*paths: tuple[list[str], list[str], str | None]) -> pa.Table:
    """Rows of user_interests with weeks, weekly topics and pattern."""
    rows = [
        {"ds": DS, "user_id": f"{n:032x}", "weeks": weeks, "weekly_topics": topics, "pattern": pattern}
        for n, (weeks, topics, pattern) in enumerate(paths)
    ]
    return as_arrow(USER_INTERESTS, rows)


@pytest.mark.spark
def test_migrations_by_hand(spark: SparkSession) -> None:
    frame = spark.createDataFrame(
        interests(
            (["2011-10-24", "2011-10-31", "2011-11-07"], ["t0001", "t0001", "t0002"], None),
            (["2011-10-03", "2011-11-07"], ["t0001", "t0001"], None),
            (["2011-10-31", "2011-11-07"], ["t0001", "t0001"], None),
            (["2011-08-08", "2011-08-15"], ["t0001", "t0003"], None),  # too long ago
            (["2011-11-07"], ["t0003"], None),
            ([], [], None),
        )
    )
    found = migrations(frame, DS)
    assert found.columns == MIGRATIONS.schema.names
    rows = sorted((*tuple(row)[1:5], round(row.share, 4)) for row in found.collect())
    assert rows == [
        ("2011-10-31", "t0001", "t0001", 1, 1.0),
        ("2011-11-07", "t0001", "t0001", 2, 0.6667),
        ("2011-11-07", "t0001", "t0002", 1, 0.3333),
    ]


@pytest.mark.spark
def test_patterns_by_hand(spark: SparkSession) -> None:
    weeks = ["2011-10-17", "2011-10-24", "2011-10-31", "2011-11-07"]
    a, b = "t0001", "t0002"
    frame = spark.createDataFrame(
        interests(
            (weeks, [a, a, a, a], "settled"),
            (weeks, [a, b, b, b], "moved_on"),
            (weeks, [a, b, b, "t0003"], "moved_on"),
            (weeks[:1], [a], None),
        )
    )
    found = migration_patterns(frame, DS)
    assert set(found.columns) == set(MIGRATION_PATTERNS.schema.names)
    rows = {row.pattern: (row.users, row.switches, row.topics) for row in found.collect()}
    assert rows.pop("settled") == (1, 0, 1)
    assert rows.pop("moved_on") == (2, 1.5, 2.5)
    assert set(rows.values()) == {(0, 0, 0)}
    assert {round(row.share, 4) for row in found.collect()} == {0.3333, 0.6667, 0.0}
    nobody = migration_patterns(spark.createDataFrame(interests()), DS).collect()
    assert {(row.users, row.share) for row in nobody} == {(0, 0.0)}
    assert migrations(spark.createDataFrame(interests()), DS).count() == 0


@pytest.mark.spark
def test_nobody_gives_no_rows(spark: SparkSession) -> None:
    nobody = spark.createDataFrame(as_arrow(USER_HISTORY, []))
    assert user_interests(nobody, ITEM_TOPICS, DS).count() == 0
    assert user_interests(nobody, ITEM_TOPICS.slice(0, 0), DS).count() == 0
