"""A shop with a published night, whose next days land file by file; refreshes run over them."""

import os
import sys
import time
from datetime import UTC, datetime

import pytest

from pipeline.intraday.base import NEEDED
from pipeline.intraday.taken import staged_row
from pipeline.runtime.settings import Settings, load_settings
from pipeline.sources.user_key import load_user_key, pseudonym
from pipeline.storage import staging
from pipeline.storage.reading import published, read
from pipeline.tables.intraday import INTRADAY_REFRESHES, USER_HISTORY_INTRADAY
from pipeline.tables.registry import RAW_EVENTS, USER_HISTORY
from pipeline.tables.schema import Table
from spark_jobs import accumulate_history, refresh_users
from tests.unit.pipeline.staged_factory import SOUND
from tests.unit.spark_jobs.landed_shop import HEADER, land, open_shop
from tests.unit.spark_jobs.lives_of_users import history
from tests.unit.spark_jobs.published_rows import Row, event, publish_rows, publish_staged

DAYS = ["2011-02-27", "2011-02-28", "2011-03-01"]
BASE, OPEN, DAY = DAYS[-1], "2011-03-02", "2011-03-03"
ITEMS = {"mug": 2.0, "cup": 3.0, "pot": 20.0, "pan": 30.0}
TOPICS = {"mug": "t0001", "cup": "t0001", "pot": "t0002", "pan": "t0002"}
OF_BASE = {
    "items": [
        {
            "item_id": f"shop:{item}",
            "platform": "shop",
            "title": f"A {item}",
            "price": price,
            "first_ds": DAYS[0],
            "updated_ds": DAYS[0],
        }
        for item, price in ITEMS.items()
    ],
    "item_topics": [
        {"item_id": f"shop:{item}", "topic_id": topic, "similarity": 0.9} for item, topic in TOPICS.items()
    ],
}


def line(who: str, what: str, item: str, time_: str, ds: str = DAY, price: str = "") -> str:
    return f"{who},{what},{item},{ds} {time_},{price}\n"


def user(home: Settings, raw: str) -> str:
    return pseudonym(load_user_key(home.home), f"shop:{raw}")


def earlier_events(home: Settings) -> list[Row]:
    """Three days: zoe was there on the first alone, yan on the first and the last."""
    acts = [
        (DAYS[0], "zoe", "view", "pan"),
        (DAYS[0], "yan", "view", "pot"),
        (DAYS[0], "anna", "view", "cup"),
        (DAYS[1], "anna", "purchase", "cup"),
        (DAYS[1], "bert", "view", "pot"),
        (DAYS[1], "bert", "view", "mug"),
        (DAYS[2], "anna", "view", "mug"),
        (DAYS[2], "yan", "purchase", "pan"),
        (DAYS[2], "carl", "view", "cup"),
    ]
    return [
        event(
            f"{ds}T10:00:00",
            user_id=user(home, who),
            event_type=what,
            item_id=f"shop:{item}",
            price=2.5,
            source_file="-",
        )
        for ds, who, what, item in acts
    ]


def publish_shelf(home: Settings, ds: str, but: tuple[str, ...] = ()) -> None:
    """What a night knows beside histories; the rows of users in it do not matter here."""
    for table in NEEDED:
        if table.name not in (USER_HISTORY.name, *but):
            rows = [{**row, "ds": ds} for row in OF_BASE.get(table.name, [SOUND[table.name]])]
            publish_rows(home, table, rows, [ds])


def run_accumulate(monkeypatch: pytest.MonkeyPatch, first: str, last: str) -> None:
    run = f"test-{time.time_ns()}"
    monkeypatch.setattr(sys, "argv", ["job", "--from", first, "--to", last, "--run", run])
    accumulate_history.main()
    publish_staged(load_settings(), USER_HISTORY, run)


@pytest.fixture
def night(home: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A home whose night of BASE is published; users stay active for four days."""
    limits = {"BOT_EVENTS_PER_DAY": "3", "DEDUP_DAYS": "5", "ACTIVE_DAYS": "4"}
    for name, value in limits.items():
        monkeypatch.setenv(f"TIDEMARK_{name}", value)
    open_shop(home)
    home = load_settings()  # with the limits, as everything that is made with them
    events = earlier_events(home)
    publish_rows(home, RAW_EVENTS, events, DAYS)
    publish_rows(home, USER_HISTORY, history(events, BASE, 4).to_dicts(), [BASE])
    publish_shelf(home, BASE)
    return load_settings()


def land_at(home: Settings, name: str, *lines: str, hour: int = 9) -> None:
    """Lands a file, with a time of landing that does not depend on the test's."""
    path = land(home, f"shop/{name}.csv", HEADER + "".join(lines))
    seconds = int(datetime(2011, 3, 3, hour, tzinfo=UTC).timestamp())
    os.utime(path, (seconds, seconds))


def run_refresh(monkeypatch: pytest.MonkeyPatch, hour: int) -> str:
    """Runs the job for an hour of DAY and publishes the histories; returns the run."""
    run = f"r{hour}-{time.time_ns()}"
    monkeypatch.setattr(sys, "argv", ["job", "--hour", f"{DAY}T{hour:02}", "--run", run])
    refresh_users.main()
    publish_staged(load_settings(), USER_HISTORY_INTRADAY, run)
    return run


def finish(run: str) -> Row:
    """Publishes the row of a finished refresh beside those before; returns it."""
    settings, now = load_settings(), datetime.now(UTC)
    row = {**staged_row(settings, run), "readable_at": now, "seconds": []}
    before: list[Row] = []
    if DAY in published(INTRADAY_REFRESHES.name, settings):
        before = read(INTRADAY_REFRESHES.name, DAY, settings).to_pylist()
    publish_rows(settings, INTRADAY_REFRESHES, [*before, row], [DAY])
    return row


def staged_users(table: Table, run: str) -> dict[str, Row]:
    """What a run staged of DAY, by user."""
    import pyarrow.parquet as pq

    files = [path for manifest in staging.current(load_settings(), table.name, run) for path in manifest.days[DAY]]
    rows = [row for path in files for row in pq.read_table(path).to_pylist()]
    return {row["user_id"]: row for row in rows}


def users_of(name: str) -> dict[str, Row]:
    """The published rows of DAY, by user."""
    return {row["user_id"]: row for row in read(name, DAY, load_settings()).to_pylist()}
