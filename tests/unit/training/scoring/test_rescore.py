"""A refresh scores its users as the night of that day will, where both know the same."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pipeline.runtime.days import shift
from pipeline.runtime.errors import FencedError, ModelError
from pipeline.runtime.settings import Settings
from pipeline.storage import staging
from pipeline.storage.catalog import file_schema
from pipeline.storage.files import write_day
from pipeline.storage.reading import read
from pipeline.tables.features import USER_FEATURES
from pipeline.tables.intraday import USER_HISTORY_INTRADAY
from pipeline.tables.registry import table_named
from tests.unit.training.factory import (
    DS,
    daily,
    embeddings,
    event,
    item_rows,
    publish_day,
    publish_users,
    user_id,
    vouch,
)
from tests.unit.training.known_users import interests, signals
from tests.unit.training.scoring.test_scoring import model
from training.data.catalogue import build_catalogue
from training.model.model import save
from training.registry import versions
from training.scoring import refresh as scoring_refresh
from training.scoring.bucket import Bucket, score_bucket
from training.scoring.refresh import RefreshedUsers

BASE, ITEMS, USERS = shift(DS, -1), 60, 12
TEN, ELEVEN = f"{DS}T10", f"{DS}T11"
NEW = USERS  # a user who came on DS


def life(number: int) -> list[dict]:
    """Up to the base night: a few days of one topic each."""
    if number == NEW:
        return []
    days = [(k, shift(DS, -1 - 3 * k - number)) for k in range(3, -1, -1)]
    return [
        event(f"shop:{4 * k + number % 4:03d}", kind, ds, hour)
        for k, ds in days
        for hour, kind in ((9, "view"), (10, "purchase"))
    ]


def today(number: int) -> list[dict]:
    return [event(f"shop:{number + 20:03d}", "view", DS, hour) for hour in (8, 9)]


def histories(users: dict[int, list[dict]], ds: str, hour: str = "") -> pa.Table:
    """Rows of user_history, or of user_history_intraday where there is an hour."""
    rows = [
        {
            "ds": ds,
            "user_id": user_id(number),
            "platforms": ["shop"],
            "first_ds": min(e["arrival_ds"] for e in events),
            "events": events,
            "last_ds": max(e["arrival_ds"] for e in events),
            "daily": daily(events),
            "hour": hour,
        }
        for number, events in users.items()
    ]
    table = USER_HISTORY_INTRADAY if hour else table_named("user_history")
    return pa.Table.from_pylist(rows, schema=table.schema)


def of_day(rows: pa.Table, ds: str) -> pa.Table:
    place = rows.schema.get_field_index("ds")
    return rows.set_column(place, rows.schema.field("ds"), pa.array([ds] * len(rows)))


def stage_day(settings: Settings, name: str, rows: pa.Table, run: str, **facts: object) -> None:
    attempt = staging.begin(settings, name, run)
    path = write_day(attempt.day(DS), rows, file_schema(settings, table_named(name)))
    staging.complete(attempt, [DS], {DS: [path]}, facts=facts)


def staged(settings: Settings, name: str, run: str) -> dict[str, dict]:
    files = [path for part in staging.current(settings, name, run) for path in part.days[DS]]
    rows = pa.concat_tables([pq.read_table(path) for path in files]).to_pylist() if files else []
    return {row["user_id"]: row for row in rows}


def rounded(value: object) -> object:
    if isinstance(value, float):
        return pytest.approx(value, rel=1e-5, abs=1e-6)
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    return [rounded(one) for one in value] if isinstance(value, list) else value


@pytest.fixture
def shop(home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A home with a base night and a champion; the night of DS knows no other items."""
    for ds in (BASE, DS):
        publish_day(home, "item_embeddings", of_day(embeddings(ITEMS), ds), ds, run=f"e{ds}")
        publish_day(home, "items", item_rows(ITEMS, ds), ds, run=f"i{ds}")
    before = {number: life(number) for number in range(USERS)}
    publish_day(home, "user_history", histories(before, BASE), BASE, run="base")
    save(model(build_catalogue(embeddings(ITEMS)).item_ids, ["shop"]), tmp_path / "model")
    monkeypatch.setattr(scoring_refresh, "serving", lambda settings: "1")
    monkeypatch.setattr(versions, "load", lambda settings, version: tmp_path / "model")
    return home


def refresh(settings: Settings, hour: str, touched: list[int], kept: list[int], run: str) -> None:
    """What the job before stages and publishes: rows of the touched users, others as they were."""
    rows = histories({n: [*life(n), *today(n)] for n in touched}, DS, hour)
    others = histories({n: [*life(n), *today(n)] for n in kept}, DS, TEN)
    facts = {"base_ds": BASE, "files": [], "base_published_at": None, "first_landed_at": None, "last_landed_at": None}
    both = pa.concat_tables([others, rows])
    stage_day(settings, "user_history_intraday", both, run, refresh=facts)
    vouch(settings, "user_history_intraday", run)
    everybody = [user_id(n) for n in range(USERS + 1)]
    mine = pc.field("user_id").isin(pa.array([user_id(n) for n in touched], pa.string()))
    stage_day(settings, "user_interests", interests(everybody, DS).filter(mine), run)
    stage_day(settings, "user_signals", signals(everybody, DS).filter(mine), run)


def test_it_agrees_with_the_night(shop: Settings, tmp_path: Path) -> None:
    """Silent users, some who came back, and one who is new: equal in every column, but for the
    last digits of sums, whose order depends on who is scored together.
    """
    touched = [0, 3, 7, NEW]
    refresh(shop, TEN, touched, [], "r")
    assert scoring_refresh.rescore(RefreshedUsers.of(shop, TEN, "r")) == (4, "1")
    lives = {n: [*life(n), *(today(n) if n in touched else [])] for n in range(USERS + 1)}
    publish_users(shop, histories(lives, DS), run="night")
    score_bucket(shop, DS, "night", Bucket(0, 1), "1", tmp_path / "model")
    night, ours = (
        staged(shop, name, run) for name, run in (("user_features", "night"), ("user_features_intraday", "r"))
    )
    assert sorted(ours) == sorted(user_id(n) for n in touched)
    for user, row in ours.items():
        assert (row.pop("hour"), row.pop("base_ds")) == (TEN, BASE)
        for name in USER_FEATURES.schema.names:
            assert row[name] == rounded(night[user][name]), name
    (manifest,) = staging.current(shop, "user_features_intraday", "r")
    lengths = {"next_items": 50, "next_new_items": 0}  # a history may hold the whole shop
    assert manifest.facts == {"rows": {DS: 4}, "model_version": "1", **lengths}


def test_a_later_refresh_leaves_the_others_as_they_were(shop: Settings) -> None:
    refresh(shop, TEN, [0, 3, 7], [], "one")
    scoring_refresh.rescore(RefreshedUsers.of(shop, TEN, "one"))
    vouch(shop, "user_features_intraday", "one")
    first = staged(shop, "user_features_intraday", "one")
    refresh(shop, ELEVEN, [3, NEW], [0, 7], "two")
    assert scoring_refresh.rescore(RefreshedUsers.of(shop, ELEVEN, "two")) == (4, "1")
    second = staged(shop, "user_features_intraday", "two")
    assert {row["hour"] for row in second.values()} == {TEN, ELEVEN}
    for number in (0, 7):
        assert second[user_id(number)] == first[user_id(number)]
    for number in (3, NEW):
        assert second[user_id(number)]["hour"] == ELEVEN


def test_a_refresh_of_everybody_leaves_no_part_of_a_file_empty(shop: Settings) -> None:
    """A row group without rows has no statistics, and the audit would refuse the file."""
    for hour, run in ((TEN, "one"), (ELEVEN, "two")):
        refresh(shop, hour, [0, 3], [], run)
        scoring_refresh.rescore(RefreshedUsers.of(shop, hour, run))
        vouch(shop, "user_features_intraday", run)
    (manifest,) = staging.current(shop, "user_features_intraday", "two")
    groups = pq.read_metadata(manifest.days[DS][0])
    assert [groups.row_group(n).num_rows for n in range(groups.num_row_groups)] == [2]


def test_nobody_touched_needs_no_model(shop: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    refresh(shop, TEN, [0, 3], [], "one")
    scoring_refresh.rescore(RefreshedUsers.of(shop, TEN, "one"))
    vouch(shop, "user_features_intraday", "one")
    monkeypatch.setattr(scoring_refresh, "serving", lambda settings: None)
    refresh(shop, ELEVEN, [], [0, 3], "two")
    assert scoring_refresh.rescore(RefreshedUsers.of(shop, ELEVEN, "two")) == (2, None)
    refresh(shop, ELEVEN, [5], [0, 3], "three")
    with pytest.raises(ModelError, match="champion: expected one, found none"):
        scoring_refresh.rescore(RefreshedUsers.of(shop, ELEVEN, "three"))


def test_a_user_who_was_never_scored_is_missed(shop: Settings) -> None:
    """The rows that are to stay are not there: the refresh before did not get that far."""
    refresh(shop, TEN, [3], [0], "r")
    with pytest.raises(ModelError, match="expected 2 users of user_history_intraday, scored or"):
        scoring_refresh.rescore(RefreshedUsers.of(shop, TEN, "r"))


def test_an_overtaken_refresh_stops(shop: Settings) -> None:
    """Two at once: the later one's histories are published, and tell of all files."""
    refresh(shop, TEN, [0], [], "slow")
    refresh(shop, TEN, [0, 3], [], "fast")
    with pytest.raises(FencedError, match="expected the rows of run 'slow', found those of run 'f"):
        RefreshedUsers.of(shop, TEN, "slow")
    RefreshedUsers.of(shop, TEN, "fast")
    assert len(read("user_history_intraday", DS, shop)) == 2
