"""Whatever several users did and wrote: one of them goes, and of the others nothing but the names they wrote."""

import json
import re
import tempfile
from collections.abc import Collection
from pathlib import Path
from unittest import mock

import pyarrow as pa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.erasure.data_files import rewritten
from pipeline.erasure.landed_records import blank_records, mask_mentions
from pipeline.erasure.landed_search import naming_files
from pipeline.erasure.persons import Persons
from pipeline.erasure.search import search
from pipeline.erasure.words import Words, is_name, words_of
from pipeline.runtime.settings import Settings
from pipeline.storage.catalog import file_schema
from pipeline.storage.declared import as_declared, row_groups
from pipeline.storage.files import write_day
from pipeline.tables.registry import EVENTS
from tests.unit.pipeline.erasure.erasable_home import LANDED, SOURCE, find_records, user
from tests.unit.pipeline.staged_factory import EVENT, arrow

IDS = [
    "anna.b@example.org",
    "jo.anna.b@example.org",
    "u-4711",
    "u-4711-2",
    "xu-4711",
    "12",
    "guest",
    "4711123456",
    "item",
]
WORDS = st.sampled_from([*IDS, "mug", "12.50", '"', "%40", "\\", "漢字", "ANNA.B@EXAMPLE.ORG", "u-4711.", "*"])
TEXTS = st.lists(WORDS, max_size=4).map(" ".join)
RECORDS = st.lists(
    st.fixed_dictionaries(
        {"who": st.sampled_from(IDS), "item": WORDS, "note": TEXTS, "more": st.lists(TEXTS, max_size=2)}
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=30)
@given(RECORDS, st.sampled_from(IDS))
def test_landed_records_of_others_stay(records: list[dict], gone: str) -> None:
    """Also byte by byte: in each line of others only the person's names are replaced. Twice is once."""
    with home() as at:
        path = at.landing / LANDED
        path.parent.mkdir(parents=True)
        lines = [json.dumps(it, ensure_ascii=bool(number % 2)) for number, it in enumerate(records)]
        path.write_text("\n".join(lines))
        after = landed_without(at, gone)
        for line, record, left in zip(lines, records, after, strict=True):
            if record["who"] == gone:
                assert left == "erased"
            elif not is_name(gone):
                assert left == line
            else:
                assert json.loads(left) == masked(json.loads(line), gone)
        assert landed_without(at, gone) == after
        assert not search(at, words(at, gone).pattern()).named


@settings(max_examples=30)
@given(RECORDS, st.sampled_from(IDS))
@example([{"who": "u-4711", "item": "guest", "note": "guest", "more": []}], "guest")
@example([{"who": "12", "item": "u-4711", "note": "u-4711 mug", "more": ["u-4711"]}], "u-4711")
def test_rows_of_others_stay(records: list[dict], gone: str) -> None:
    """An id that is an item's too is left as it is."""
    items = {it["item"] for it in records}
    with home() as at:
        rows = [
            {
                **EVENT,
                "event_id": f"{number:032x}",
                "account_id": user(at, it["who"]),
                "item_id": f"shop:{it['item']}",
                "text": it["note"],
                "attributes": [(f"a{n}", text) for n, text in enumerate(it["more"])],
            }
            for number, it in enumerate(records)
        ]
        before = arrow("events", rows)
        path = write_day(at.staging, before, file_schema(at, EVENTS))
        after = rows_without(at, path, gone, items)
        others = [row for row in before.to_pylist() if row["account_id"] != user(at, gone)]
        is_masked = is_name(gone) and gone not in items
        assert after == [masked(row, gone) if is_masked else row for row in others]


def masked(value: object, gone: str) -> object:
    """By the rule in its plainest words: an id stands alone, or it is another's."""
    if isinstance(value, str):
        flags = re.IGNORECASE if "@" in gone else 0
        alone = rf"(?<![\w])(?<![\w][-.+@])(shop:)?{re.escape(gone)}(?![\w])(?![-.+@][\w])"
        return re.sub(alone, lambda it: "****" if it[1] else "***", value, flags=flags | re.ASCII)
    if isinstance(value, dict):
        return {name: it if name == "account_id" else masked(it, gone) for name, it in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(masked(it, gone) for it in value)
    return value


def landed_without(at: Settings, gone: str) -> list[str]:
    found = find_records(at, {user(at, gone)}, [LANDED])
    blank_records(at, [(it.file, it.line) for it in found])
    names = words(at, gone).pattern()
    mask_mentions(at, naming_files(at, names), names)
    return (at.landing / LANDED).read_text().split("\n")


def rows_without(at: Settings, path: str, gone: str, items: set[str]) -> list[dict]:
    names = words(at, gone, items).pattern()
    left = rewritten(at, EVENTS, path, at.staging / "after", frozenset({user(at, gone)}), names)
    if not left:
        return []
    _, groups = row_groups(left, EVENTS, file_schema(at, EVENTS))
    return [row for rows in groups for row in as_declared(pa.table(rows), EVENTS).to_pylist()]


def words(at: Settings, gone: str, taken: Collection[str] = ()) -> Words:
    """`taken`: ids that are something else's too."""
    return words_of(at, Persons(frozenset({user(at, gone)}), frozenset({("shop", gone)}), frozenset()), {}, set(taken))


class home:
    """A fresh home for each example; no ledger of files, which would be a database each time."""

    def __enter__(self) -> Settings:
        self._folder = tempfile.TemporaryDirectory()
        at = Settings(home=Path(self._folder.name) / "home")
        for folder in (at.landing, at.sources):
            folder.mkdir(parents=True)
        (at.sources / "shop.toml").write_text(SOURCE)
        self._ledger = mock.patch("pipeline.erasure.landed_records.exchange_files")
        self._ledger.start()
        return at

    def __exit__(self, *_: object) -> None:
        self._ledger.stop()
        self._folder.cleanup()
