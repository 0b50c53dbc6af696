"""Where a person may hide from an erasure: each is found and cleared, or told, and never passed over."""

import gzip
import json
import os
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.erasure.erase import erase
from pipeline.features.online import open_backend, open_store
from pipeline.features.online.load import load_night
from pipeline.runtime.errors import ErasureError
from pipeline.runtime.settings import Settings
from pipeline.sources.user_key import pseudonym
from pipeline.storage.reading import read
from pipeline.storage.staging import begin
from tests.unit.pipeline.erasure.erasable_home import ANNA, BOB, LANDED, erased, land, put, rows_of, shop, user
from tests.unit.pipeline.staged_factory import DAY, SOUND, arrow, write

__all__ = ["shop"]


def lived(home: Settings) -> None:
    """A record of each: Bob's names Anna, and so does a line that nobody can read."""
    broken = '{"who": "' + ANNA + '", "item": '
    land(home, [{"who": ANNA, "item": "mug"}, {"who": BOB, "item": "pot", "referred_by": ANNA}, broken])
    anna, bob = user(home, ANNA), user(home, BOB)
    told = {"attributes": [("unknown.referred_by", ANNA)], "text": f"thanks, {ANNA.title()}!"}
    put(home, "raw_events", [{"account_id": anna}, {"account_id": bob, **told}])
    put(home, "events", [{"account_id": bob, "event_id": "b" * 32, **told}])
    record = json.dumps({"line": 3, "seen": {"unknown.referred_by": ANNA}})
    put(home, "quarantine", [{"account_id": bob, "record": record}, {"account_id": None, "record": record}])


def test_an_address_in_lines_records_and_attributes_of_others(shop: Settings) -> None:
    """Masked where it stands: the records of others stay, the line that is broken too."""
    lived(shop)
    record = erased(shop)
    assert record.finished and not record.in_doubt
    lines = (shop.landing / LANDED).read_text().splitlines()
    assert lines[0] == "erased" and lines[2] == '{"who": "***", "item": '
    assert json.loads(lines[1]) == {"who": BOB, "item": "pot", "referred_by": "***"}
    (event,) = rows_of(shop, "events")
    assert (event["attributes"], event["text"]) == ([("unknown.referred_by", "***")], "thanks, ***!")
    told = {row["record"] for row in rows_of(shop, "quarantine") if row["reason"] != "erased"}
    assert told == {json.dumps({"line": 3, "seen": {"unknown.referred_by": "***"}})}
    assert sum(row["account_id"] == user(shop, BOB) for row in rows_of(shop, "raw_events")) == 1


def test_erasing_twice_changes_nothing(shop: Settings) -> None:
    lived(shop)
    erased(shop)
    before = {name: rows_of(shop, name) for name in ("raw_events", "events", "quarantine")}
    landed = (shop.landing / LANDED).stat()
    again = erased(shop)
    assert again.finished and not again.rows and not again.masked_files and not again.landed_records
    assert {name: rows_of(shop, name) for name in before} == before
    assert (shop.landing / LANDED).stat().st_mtime_ns == landed.st_mtime_ns


WAYS = (
    ANNA.replace("@", "\\u0040"),
    ANNA.replace("a", "\\u0061"),
    ANNA.replace("@", "%40"),
    ANNA.replace("@", "%2540"),
    ANNA.replace("@", "&#64;").replace(".", "&period;"),
    ANNA.upper(),
)


def test_other_ways_of_writing_it(shop: Settings) -> None:
    path = land(shop, [{"who": ANNA}, *(f'{{"who": "bob-0815", "note": "by {way}!"}}' for way in WAYS)])
    put(shop, "raw_events", [{"account_id": user(shop, ANNA)}])
    assert erased(shop).finished
    assert path.read_text() == "erased\n" + '{"who": "bob-0815", "note": "by ***!"}\n' * len(WAYS)


def test_links_are_followed(shop: Settings, tmp_path: Path) -> None:
    """A linked folder is a folder of the source; what a linked file leads to is not ours to change."""
    outside = tmp_path / "mounted"
    outside.mkdir()
    lived(shop)
    (shop.landing / "shop").rename(outside / "shop")
    (shop.landing / "shop").symlink_to(outside / "shop")
    assert erased(shop).finished
    assert ANNA not in (outside / LANDED).read_text()
    (outside / "notes").write_text(f"call {ANNA}")
    (shop.landing / "shop" / "linked").symlink_to(outside / "notes")
    with pytest.raises(ErasureError, match="found one in 1 places: landing/shop/linked"):
        erased(shop)


def test_a_link_that_leads_nowhere_is_told(shop: Settings) -> None:
    lived(shop)
    (shop.home / "lost").symlink_to("/nowhere")
    assert erased(shop).in_doubt == ["lost: a link that leads nowhere"]


def test_rows_of_an_earlier_key(shop: Settings) -> None:
    """They have another pseudonym: refused before anything is changed, and found with the key."""
    lived(shop)
    former = pseudonym(b"the key of last year", f"shop:{ANNA}")
    put(shop, "raw_events", [{"account_id": former}, {"account_id": user(shop, BOB)}])
    before = (shop.landing / LANDED).read_text()
    with pytest.raises(ErasureError, match="loaded with another user key"):
        erased(shop)
    assert (shop.landing / LANDED).read_text() == before
    record = erase(shop, [f"shop:{ANNA}"], "", lambda line: None, [b"the key of last year"])
    assert record.finished and record.rows["raw_events"] == 1
    assert [row["account_id"] for row in rows_of(shop, "raw_events")] == [user(shop, BOB), None]


def test_the_same_address_in_another_case_is_hers(shop: Settings) -> None:
    land(shop, [{"who": ANNA}, {"who": ANNA.upper()}, {"who": BOB}])
    accounts = [user(shop, it) for it in (ANNA, ANNA.upper(), BOB)]
    put(shop, "raw_events", [{"account_id": it} for it in accounts])
    assert erased(shop).rows["raw_events"] == 2
    assert [row["account_id"] for row in rows_of(shop, "raw_events")] == [accounts[2], None, None]


def encrypted_zip(path: Path) -> None:
    """As `zip -e` writes it: the flag alone is what tells."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", "x")
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)


UNSEARCHABLE: dict[str, Callable[[Path], object]] = {
    "encrypted.zip": encrypted_zip,
    "encrypted.pgp": lambda path: path.write_text("-----BEGIN PGP MESSAGE-----\n\nhQ"),
    "encrypted": lambda path: path.write_bytes(os.urandom(1 << 17)),
    "cut.gz": lambda path: path.write_bytes(gzip.compress(b"nothing here")[:-4]),
    "half.parquet": lambda path: path.write_bytes(b"PAR1 half"),
    "some.7z": lambda path: path.write_bytes(b"7z\xbc\xaf\x27\x1c rest"),
}


def test_what_cannot_be_searched_is_told(shop: Settings) -> None:
    lived(shop)
    (shop.home / "exports").mkdir()
    for name, make in UNSEARCHABLE.items():
        make(shop.home / "exports" / name)
    record = erased(shop)
    assert [line.split(":")[0] for line in record.in_doubt] == [f"exports/{name}" for name in sorted(UNSEARCHABLE)]


def test_an_ordinary_id_is_told(shop: Settings) -> None:
    """12 is the id of a person, an item and a price: only the person's own records go."""
    rows = [{"who": "12", "item": "a"}, {"who": BOB, "item": "12", "price": 12}, {"who": "guest", "item": "12"}]
    path = land(shop, rows)
    put(shop, "raw_events", [{"account_id": user(shop, it), "item_id": "shop:12"} for it in ("12", BOB, "guest")])
    record = erased(shop, "shop:12")
    assert record.finished and "too ordinary" in record.in_doubt[0]
    assert path.read_text().splitlines() == ["erased", *map(json.dumps, rows[1:])]
    assert [row["item_id"] for row in rows_of(shop, "raw_events")] == ["shop:12", "shop:12", None]


def test_an_id_that_is_an_item_too_stays_there(shop: Settings) -> None:
    rows = [{"who": "sku-77001", "item": "a"}, {"who": BOB, "item": "sku-77001"}]
    path = land(shop, rows)
    put(shop, "raw_events", [{"account_id": user(shop, it), "item_id": "shop:sku-77001"} for it in ("sku-77001", BOB)])
    record = erased(shop, "shop:sku-77001")
    assert record.finished and f"landing/{LANDED}: words that may be" in " ".join(record.in_doubt)
    assert path.read_text().splitlines() == ["erased", json.dumps(rows[1])]


def test_waiting_imports_go(shop: Settings) -> None:
    """They are made anew from the history file; what was delivered is known by its receipt."""
    lived(shop)
    waiting = shop.home / "imports" / "shop-1" / "files" / "shop"
    waiting.mkdir(parents=True)
    (waiting / "a.jsonl.gz").write_bytes(gzip.compress(ANNA.encode()))
    for name in ("shop-1.json", "shop-2.json"):
        (shop.home / "imports" / name).write_text(f'{{"examples": ["{ANNA}"]}}')
    assert erased(shop).finished
    left = [path.name for path in sorted((shop.home / "imports").rglob("*"))]
    assert left == ["shop-2.json"]


def test_rows_of_others_stay_in_files_that_no_table_knows(shop: Settings) -> None:
    lived(shop)
    anna, bob = user(shop, ANNA), user(shop, BOB)
    path = shop.home / "exports" / "users.parquet"
    path.parent.mkdir()
    pq.write_table(pa.table({"note": [f"by {ANNA}", "x"], "user_id": [bob, anna], "referred_by": [anna, bob]}), path)
    assert erased(shop).finished
    (row,) = pq.read_table(path).to_pylist()
    assert row["user_id"] == bob and set(row["referred_by"]) == {"*"} and row["note"].startswith("by *")


def test_a_database_that_names_her_fails_the_proof(shop: Settings) -> None:
    lived(shop)
    with closing(sqlite3.connect(shop.home / "some.db")) as database, database:
        database.execute("CREATE TABLE t (a TEXT)")
        database.execute("INSERT INTO t VALUES (?)", [ANNA])
    with pytest.raises(ErasureError, match=r"found one in 1 places: some\.db"):
        erased(shop)


def test_attempts_and_old_snapshots_that_mention_her(shop: Settings) -> None:
    lived(shop)
    attempt = begin(shop, "items", "died")
    write(attempt.day(DAY) / "half.parquet", arrow("items", [{**SOUND["items"], "title": f"mug of {ANNA}"}]))
    put(shop, "items", [{"item_id": "shop:2", "title": f"pot of {ANNA}"}])
    record = erased(shop)
    assert record.finished and record.snapshots["items"]
    assert read("items", DAY, shop)["title"].to_pylist() == ["pot of ***"]


def test_the_night_that_serves_names_her_no_more(shop: Settings) -> None:
    """Bob searched for her address; a night is loaded with it, and another one that a rollback returns to."""
    lived(shop)
    bob = user(shop, BOB)
    intents = [{"query": f"mail of {ANNA}", "topic_id": "t0001", "weight": 1.0}]
    put(shop, "user_features", [{"user_id": bob, "search_intents": intents}])
    backend = open_backend(shop)
    for _ in range(2):
        load_night(shop, backend, DAY, force=True)
    assert erased(shop).finished
    (served,) = open_store(shop).get([bob])
    assert served is not None and served["search_intents"][0]["query"] == "mail of ***"
    assert open_backend(shop).nights().previous is not None
