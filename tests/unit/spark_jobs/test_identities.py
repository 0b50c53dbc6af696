"""The identity map from landing to histories: accounts join, move and leave, and every reader agrees."""

import sys
import time

import pytest
from pyspark.sql import SparkSession

from pipeline.runtime.days import day_range, shift
from pipeline.runtime.errors import LandingError
from pipeline.runtime.settings import Settings, load_settings
from pipeline.sources.user_key import load_user_key, pseudonym
from pipeline.storage.persons import persons_as_of
from pipeline.storage.reading import published, read
from pipeline.tables.registry import EVENTS, IDENTITIES, USER_HISTORY
from spark_jobs import accumulate_history
from spark_jobs.engine.persons import with_users
from spark_jobs.states.history import accumulate
from tests.unit.spark_jobs.landed_shop import HEADER, land, open_shop, rows_of, run_clean, run_ingest
from tests.unit.spark_jobs.published_rows import Row, as_arrow, event, publish_rows, publish_staged

pytestmark = pytest.mark.spark
DAYS = day_range("2011-03-01", "2011-03-05")
ALWAYS = "0001-01-01"


@pytest.fixture
def shop(spark: SparkSession, home: Settings) -> Settings:
    """A shop of whose days each has one view by anna."""
    open_shop(home)
    for ds in DAYS:
        land(home, f"shop/{ds}.csv", HEADER + f"anna,view,mug,{ds} 10:00:00,\n")
    return home


def land_map(home: Settings, *persons: str) -> None:
    """Lands a map with rows such as `anna,P` of the shop."""
    land(home, "identity.csv", "platform,raw_id,person_id\n" + "".join(f"shop,{row}\n" for row in persons))


def name(home: Settings, raw: str) -> str:
    return pseudonym(load_user_key(home.home), raw if ":" in raw else f"shop:{raw}")


def versions(home: Settings, *rows: tuple[str, str, str]) -> list[tuple[str, str, str]]:
    """Rows of `identities` by the names that are behind the pseudonyms."""
    found = [(name(home, account), name(home, user), since) for account, user, since in rows]
    return sorted(found, key=str)


def of_day(ds: str) -> list[tuple[object, ...]]:
    return [row for (day, *row) in rows_of("identities", "ds", "account_id", "user_id", "since_ds") if day == ds]


def as_lists(rows: list[tuple[str, str, str]]) -> list[list[str]]:
    return [list(row) for row in rows]


def test_versions_from_night_to_night_and_again(shop: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    land_map(shop, "anna,P", "bert,P")
    run_ingest(monkeypatch, DAYS[0], DAYS[1])
    begin = [("anna", "person:P", ALWAYS), ("bert", "person:P", ALWAYS)]
    land_map(shop, "anna,P", "bert,Q", "carl,P")
    run_ingest(monkeypatch, DAYS[2], DAYS[2])
    moved = [*begin, ("bert", "person:Q", DAYS[2]), ("carl", "person:P", DAYS[2])]
    land_map(shop, "anna,P", "bert,Q")
    run_ingest(monkeypatch, DAYS[3], DAYS[3])
    left = [*moved, ("carl", "carl", DAYS[3])]
    expected = {DAYS[0]: begin, DAYS[1]: begin, DAYS[2]: moved, DAYS[3]: left}
    for ds, rows in expected.items():
        assert of_day(ds) == as_lists(versions(shop, *rows)), ds
    before = rows_of("identities")
    for ds in reversed(DAYS[:4]):  # again, with the map of today
        run_ingest(monkeypatch, ds, ds)
    assert rows_of("identities") == before
    persons = persons_as_of(shop, DAYS[2])
    assert persons.user(name(shop, "carl")) == name(shop, "person:P")
    assert persons_as_of(shop, "2011-04-01").user(name(shop, "carl")) == name(shop, "carl")
    assert persons.user("e" * 32) == "e" * 32


def test_a_map_that_is_gone_splits_nobody(shop: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    land_map(shop, "anna,P")
    run_ingest(monkeypatch, DAYS[0], DAYS[0])
    (shop.landing / "identity.csv").unlink()
    with pytest.raises(LandingError, match=r"expected the identity map, by which 1 accounts are joined to persons"):
        run_ingest(monkeypatch, DAYS[1], DAYS[1])
    land_map(shop)
    run_ingest(monkeypatch, DAYS[1], DAYS[1])
    assert of_day(DAYS[1])[0][1:] in ([name(shop, "anna"), DAYS[1]], [name(shop, "person:P"), ALWAYS])
    assert persons_as_of(shop, DAYS[1]).joined.is_empty()


def test_a_record_delivered_again_is_one_event(shop: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever has become of its person, and whatever fields the platform has added since."""
    bought = f"anna,purchase,mug,{DAYS[0]} 11:00:00,2.5"
    land(shop, f"shop/{DAYS[0]}.csv", HEADER + bought + "\n")
    land(shop, f"shop/{DAYS[1]}.csv", HEADER.replace("price", "price,till") + bought + ",7\n")
    run_ingest(monkeypatch, DAYS[0], DAYS[0])
    land_map(shop, "anna,P", "bert,P")
    run_ingest(monkeypatch, DAYS[1], DAYS[1])
    run_clean(monkeypatch, DAYS[0], DAYS[1])
    assert [ds for (ds,) in rows_of("events", "ds")] == [DAYS[0]]
    assert [(row["events"], row["duplicates"]) for row in read("accounting").to_pylist()] == [(1, 0), (0, 1)]


MAPS = [  # of each day: who is whose
    {},
    {"a": "P", "b": "P"},  # merge
    {"a": "P", "b": "Q", "c": "Q"},  # move, and c joins
    {"a": "P", "b": "Q"},  # c leaves
    {"b": "Q", "d": "Q"},  # the only account of P leaves
]


def log() -> list[Row]:
    """Each account views and buys something every day, and no other account the same."""
    rows = [
        event(
            f"{ds}T{hour:02}:00:00", account_id=it * 32, event_type=kind, item_id=f"shop:{it}{hour}", price=hour + 0.1
        )
        for ds in DAYS
        for hour, it in enumerate("abcd", start=8)
        for kind in ("view", "purchase")
    ]
    return [{**row, "event_id": f"{number:032x}"} for number, row in enumerate(rows)]


@pytest.fixture
def known(spark: SparkSession, home: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A home whose events and identities are published."""
    monkeypatch.setenv("TIDEMARK_ACTIVE_DAYS", "3")
    publish_rows(home, EVENTS, log(), DAYS)
    rows: dict[tuple[str, str], Row] = {}
    for ds, persons in zip(DAYS, MAPS, strict=True):
        for account in "abcd":
            row = {"account_id": account * 32, "user_id": persons.get(account, account) * 32, "since_ds": ds}
            rows[account, ds] = {**row, "user_id": row["user_id"].replace("P", "f").replace("Q", "e")}
        mine = [{**row, "ds": ds} for row in rows.values()]
        publish_rows(home, IDENTITIES, mine, [ds])
    return load_settings()


def run_accumulate(monkeypatch: pytest.MonkeyPatch, first: str, last: str) -> None:
    run = f"test-{time.time_ns()}"
    monkeypatch.setattr(sys, "argv", ["job", "--from", first, "--to", last, "--run", run])
    accumulate_history.main()
    publish_staged(load_settings(), USER_HISTORY, run)


def test_histories_follow_the_map(spark: SparkSession, known: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Night by night, and in one range, as if each day were made from the log alone."""
    cold = []
    nothing = spark.createDataFrame(as_arrow(USER_HISTORY, []))
    for ds in DAYS:
        window = [row for row in log() if shift(ds, -3) < row["ds"] <= ds]
        users = with_users(spark.createDataFrame(as_arrow(EVENTS, window)), persons_as_of(known, ds).joined)
        cold += accumulate(nothing, users, [ds], 3, 1024).frame().toArrow().to_pylist()
    expected = sorted((tuple(row[name] for name in USER_HISTORY.schema.names) for row in cold), key=str)
    for ds in DAYS:
        run_accumulate(monkeypatch, ds, ds)
    assert rows_of("user_history") == expected
    assert [len([row for row in expected if row[0] == ds]) for ds in DAYS] == [4, 3, 3, 4, 3]
    run_accumulate(monkeypatch, DAYS[0], DAYS[-1])
    assert set(published("user_history", known)) == set(DAYS)
    assert rows_of("user_history") == expected
