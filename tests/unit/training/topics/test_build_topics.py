"""The job: from published tables to staged ones that pass their rules, night after night."""

import json

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from pipeline.runtime.days import shift
from pipeline.runtime.errors import NotPublishedError
from pipeline.runtime.settings import Settings
from pipeline.storage import staging
from pipeline.storage.audit.expectations import rules_of
from pipeline.storage.catalog import file_schema, load_table
from pipeline.storage.files import write_day
from pipeline.storage.reading import published, read
from pipeline.tables.interests import ITEM_TOPICS, TOPICS
from pipeline.tables.registry import ITEM_EMBEDDINGS, ITEMS, USER_HISTORY, table_named
from tests.unit.training.factory import DS, embeddings, history, item_rows, publish_day, vouch
from training.build_topics import build
from training.texts.item_texts import text_hash
from training.topics.day_items import NO_TEXT
from training.topics.lineage import Earlier, refresh_reason
from training.topics.placing import wanted_topics

from tests.unit.training.topics.worlds import day_items  # isort: skip

pytestmark = pytest.mark.kernel

NEXT = shift(DS, 1)
SHOP = ("a red mug", "🎂 🎉", "陶瓷茶杯", "مصباح أحمر", "מנורת שולחן", "", None, "12")


def publish_inputs(home: Settings, ds: str, items: pa.Table, vectors: pa.Table) -> None:
    users = history(40, items.num_rows) if items.num_rows else USER_HISTORY.schema.empty_table()
    for name, rows in (("items", items), ("item_embeddings", vectors), ("user_history", users)):
        dated = rows.set_column(0, rows.schema.field("ds"), pa.array([ds] * len(rows), pa.string()))
        if len(rows):
            publish_day(home, name, dated, ds, run=f"in-{ds}")
        else:  # as jobs stage a day without rows: without a file
            staging.complete(staging.begin(home, name, f"in-{ds}"), [ds], {})
            vouch(home, name, f"in-{ds}")


def built(home: Settings, ds: str, run: str = "r") -> tuple[pa.Table, pa.Table]:
    """Both tables of a day, published after the rules were looked at."""
    build(home, ds, run)
    for table in (TOPICS, ITEM_TOPICS):
        vouch(home, table.name, run)
    found = read("topics", ds, home), read("item_topics", ds, home)
    for table, staged in zip((TOPICS, ITEM_TOPICS), found, strict=True):
        rules = rules_of(table_named(table.name), home)
        broken = ", ".join(f"count(*) FILTER (WHERE {rule.breaks})" for rule in rules)
        with duckdb.connect() as connection:
            connection.register("staged", staged)
            counts = connection.execute(f"SELECT {broken} FROM staged").fetchall()
        assert counts == [(0,) * len(rules)], [rule.says for rule in rules]
    return found


def test_topics_of_a_shop(home: Settings) -> None:
    publish_inputs(home, DS, item_rows(80), embeddings(80))
    home = home.model_copy(update={"topics": 4})
    topics, items = built(home, DS)
    assert topics["items"].to_pylist() == [20] * 4
    placed = dict(zip(items["item_id"].to_pylist(), items["topic_id"].to_pylist(), strict=True))
    planted = {int(item.partition(":")[2]) % 4: topic for item, topic in placed.items()}
    assert placed == {f"shop:{n:03d}": planted[n % 4] for n in range(80)}
    assert len(set(topics["name"].to_pylist())) == 4
    inputs = staging.current(home, "topics", "r")[0].inputs
    assert set(inputs) == {"items", "item_embeddings", "user_history", "topics", "item_topics"}


def test_vectors_that_the_run_has_staged_serve_as_published_ones(home: Settings) -> None:
    """One process encodes items and builds topics; readers see neither before the release."""
    publish_inputs(home, DS, item_rows(80), embeddings(80))
    expected = built(home, DS)
    (home.home / "catalog.db").unlink()
    publish_day(home, "items", item_rows(80), DS, run="again")
    publish_day(home, "user_history", history(40, 80), DS, run="again")
    attempt = staging.begin(home, "item_embeddings", "r")
    file = write_day(attempt.day(DS), embeddings(80), file_schema(home, ITEM_EMBEDDINGS))
    vectors = staging.complete(attempt, [DS], {DS: [file]})
    build(home, DS, "r", vectors=vectors)
    assert not published("item_embeddings", home)
    for table in (ITEM_EMBEDDINGS, TOPICS, ITEM_TOPICS):
        vouch(home, table.name, "r")
    assert read("topics", DS, home).equals(expected[0])
    assert read("item_topics", DS, home).equals(expected[1])
    inputs = staging.current(home, "topics", "r")[0].inputs
    assert set(inputs) == {"items", "user_history", "item_embeddings", "topics", "item_topics"}
    newest = load_table(home, TOPICS).current_snapshot()
    recorded = json.loads(newest.summary.additional_properties["tidemark.inputs"])
    assert recorded["item_embeddings"] == load_table(home, ITEM_EMBEDDINGS).current_snapshot().snapshot_id


def test_the_next_night_goes_on_and_a_rerun_gives_the_same_rows(home: Settings) -> None:
    publish_inputs(home, DS, item_rows(80), embeddings(80))
    publish_inputs(home, NEXT, item_rows(84), embeddings(84))
    _, first = built(home, DS)
    topics, second = built(home, NEXT, "s")
    before = dict(zip(first["item_id"].to_pylist(), first["topic_id"].to_pylist(), strict=True))
    after = dict(zip(second["item_id"].to_pylist(), second["topic_id"].to_pylist(), strict=True))
    assert len(after) == 84
    assert after.items() >= before.items()
    assert set(topics["born_ds"].to_pylist()) == {DS}
    inputs = staging.current(home, "topics", "s")[0].inputs
    assert set(inputs) == {"items", "item_embeddings", "user_history", "topics", "item_topics"}
    again, items_again = built(home, NEXT, "t")
    assert again.equals(topics)
    assert items_again.equals(second)


def test_a_night_without_items_has_no_topics_and_ids_live_on(home: Settings) -> None:
    publish_inputs(home, DS, item_rows(80), embeddings(80))
    publish_inputs(home, NEXT, ITEMS.schema.empty_table(), ITEM_EMBEDDINGS.schema.empty_table())
    publish_inputs(home, shift(DS, 2), item_rows(80), embeddings(80))
    _, first = built(home, DS)
    topics, items = built(home, NEXT, "s")
    assert (topics.num_rows, items.num_rows) == (0, 0)
    _, third = built(home, shift(DS, 2), "t")
    assert third["topic_id"].equals(first["topic_id"])


def test_titles_of_any_kind_and_none(home: Settings) -> None:
    rows = item_rows(len(SHOP)).to_pylist()
    for row, title in zip(rows, SHOP, strict=True):
        row["title"] = title
    vectors = embeddings(len(SHOP)).to_pylist()
    for row, title in zip(vectors, SHOP, strict=True):
        row["text_hash"] = text_hash(title or "")
    publish_inputs(
        home,
        DS,
        pa.Table.from_pylist(rows, schema=ITEMS.schema),
        pa.Table.from_pylist(vectors, schema=ITEM_EMBEDDINGS.schema),
    )
    home = home.model_copy(update={"topics": 8})
    topics, items = built(home, DS)
    names = dict(zip(topics["topic_id"].to_pylist(), topics["name"].to_pylist(), strict=True))
    assert [names[topic] for topic in items["topic_id"].to_pylist()] == [
        "mug · red",
        "🎂 · 🎉",
        "瓷茶 · 茶杯 · 陶瓷",
        "أحمر · مصباح",
        "מנורת · שולחן",
        "🎂 · 🎉",
        "瓷茶 · 茶杯 · 陶瓷",  # no title: by what users turn to beside them
        "topic 5",  # no word
    ]


def test_a_platform_without_any_text(home: Settings) -> None:
    rows = embeddings(80).to_pylist()
    for row in rows:
        row["text_hash"] = NO_TEXT
    silent = pa.Table.from_pylist(rows, schema=ITEM_EMBEDDINGS.schema)
    untitled = item_rows(80).set_column(3, "title", pa.nulls(80, pa.string())).cast(ITEMS.schema)
    publish_inputs(home, DS, untitled, silent)
    topics, items = built(home.model_copy(update={"topics": 4}), DS)
    labels = items["topic_id"].to_pylist()
    planted = [int(item.partition(":")[2]) % 4 for item in items["item_id"].to_pylist()]
    pure = sum(
        max(sum(x == t and y == k for x, y in zip(labels, planted, strict=True)) for k in range(4)) for t in set(labels)
    )
    assert pure >= 76  # users of the shop keep to one topic, so behaviour alone tells it
    assert sorted(topics["name"].to_pylist()) == [f"topic {n}" for n in range(1, 5)]


def test_a_day_that_is_not_published_is_named(home: Settings) -> None:
    with pytest.raises(NotPublishedError, match=rf"items ds={DS}: not published"):
        build(home, DS, "r")
    assert not published("topics", home)


@pytest.mark.parametrize(
    ("ds", "new", "mean", "setting", "encoder", "reason"),
    [
        ("2024-06-09", 0, 0.8, 10, "e", ""),  # Sunday after a Tuesday
        ("2024-06-10", 0, 0.8, 10, "e", "a new week"),
        ("2024-06-13", 0, 0.8, 10, "e", "a new week"),  # no night on the Monday between
        ("2024-06-05", 10, 0.8, 10, "e", ""),
        ("2024-06-05", 11, 0.8, 10, "e", "many new items"),
        ("2024-06-05", 0, 0.77, 10, "e", ""),
        ("2024-06-05", 0, 0.75, 10, "e", "items fit their topics less"),
        ("2024-06-05", 0, 0.8, 0, "e", ""),
        ("2024-06-05", 0, 0.8, 11, "e", "another number of topics is set"),
        ("2024-06-05", 0, 0.8, 10, "f", "another text encoder"),
    ],
)
def test_when_clusters_are_made_anew(ds: str, new: int, mean: float, setting: int, encoder: str, reason: str) -> None:
    items = day_items(["x"] * 100, encoder=encoder)
    living = [{"topic_id": f"t{n:04d}", "encoder": "e"} for n in range(10)]
    label = np.where(np.arange(100) < new, -1, 0)
    past = Earlier("2024-06-04", living, living, label, 0.8)
    assert refresh_reason(past, ds, items, mean, setting) == reason


def test_the_number_of_topics() -> None:
    assert [wanted_topics(n, 0) for n in (1, 8, 1_988, 3_639, 10**6)] == [2, 4, 25, 31, 200]
    assert wanted_topics(3_639, 12) == 12
