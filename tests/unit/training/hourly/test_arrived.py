"""What of a user's row is new after an hour."""

import pyarrow as pa

from pipeline.runtime.days import shift
from pipeline.tables.intraday import USER_HISTORY_INTRADAY
from tests.unit.training.factory import DS, daily, embeddings, event, user_id
from training.data.catalogue import build_catalogue
from training.data.users import to_examples
from training.hourly.hour_rows import Older, news

DAY = shift(DS, 1)
HOUR = f"{DAY}T10"
OLD, FIRST, SECOND = (
    event("shop:001", "view", DS),
    event("shop:002", "view", DAY, 9),
    event("shop:003", "view", DAY, 10),
)


def rows(**users: list[dict]) -> pa.Table:
    kinds = USER_HISTORY_INTRADAY.schema
    events = list(users.values())
    return pa.table(
        {
            "user_id": pa.array([user_id(int(name[1:])) for name in users], pa.string()),
            "events": pa.array(events, kinds.field("events").type),
            "daily": pa.array([daily(each) for each in events], kinds.field("daily").type),
        }
    )


def items(row: dict, name: str) -> list[str]:
    return [entry["item_id"] for entry in row[name]]


def test_new_is_what_landed_since_the_night_and_no_refresh_had_seen() -> None:
    after = rows(u1=[OLD, FIRST, SECOND], u2=[FIRST], u3=[OLD, FIRST])
    seen = rows(u1=[OLD, FIRST], u3=[OLD, FIRST])
    first, second = news(after, seen, DS, HOUR).to_pylist()
    assert (items(first, "events"), items(first, "future")) == (
        ["shop:001", "shop:002"],
        ["shop:003"],
    )
    assert (items(second, "events"), items(second, "future")) == ([], ["shop:002"])  # a new user


def test_the_same_event_twice_is_new_as_often_as_it_was_not_seen() -> None:
    found = news(rows(u1=[FIRST, FIRST, FIRST]), rows(u1=[FIRST]), DS, HOUR).to_pylist()
    assert [len(found[0][name]) for name in ("events", "future")] == [1, 2]


def test_labels_that_are_not_complete_are_unknown_and_not_negative() -> None:
    catalogue = build_catalogue(embeddings(8))
    examples = to_examples(news(rows(u1=[OLD, FIRST]), rows(), DS, HOUR), catalogue)
    assert (examples.labels != examples.labels).all()  # NaN
    assert list(examples.past.item) == [1] and list(examples.future.item) == [2]


def test_a_row_that_went_back_to_its_base_has_no_news() -> None:
    assert not news(rows(u1=[OLD]), rows(u1=[OLD, FIRST]), DS, HOUR).num_rows
    assert not news(rows(), rows(), DS, HOUR).num_rows


def test_older_rows_to_judge_on_are_not_gone_over_again(shop_home) -> None:
    catalogue = build_catalogue(embeddings(80))
    older = Older.of(shop_home, DS, HOUR, catalogue)
    held, replayed = (set(it.users.to_pylist()) for it in (older.held, older.replayed))
    assert held and replayed and not held & replayed
    assert older.replayed.is_train.all() and not older.held.is_train.any()
    assert not (older.replayed.labels != older.replayed.labels).any()  # all complete
    other = Older.of(shop_home, DS, f"{DAY}T11", catalogue)
    assert other.replayed.users != older.replayed.users  # another hour begins elsewhere
    assert not len(Older.of(shop_home, DAY, HOUR, catalogue).held)  # nothing published
