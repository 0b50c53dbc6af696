"""`source new` without help: format, user, item, time and types of files that nobody has described."""

import gzip
import json
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.runtime.errors import SourceError, UsageError
from pipeline.sources.known import templates
from pipeline.sources.proposals import draft as drafts
from pipeline.sources.proposals.draft import Draft, draft
from pipeline.sources.proposals.look import look_at
from tests.real_data import folder_of, needs


def content(found: Draft) -> dict[str, Any]:
    """The draft as TOML."""
    return tomllib.loads(found.text)


def written(folder: Path, name: str, text: str | bytes) -> Path:
    file = folder / name
    raw = text.encode() if isinstance(text, str) else text
    file.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    return file


@pytest.mark.parametrize("name", list(templates()))
def test_the_sample_of_each_template_is_recognised(name: str) -> None:
    template = templates()[name]
    found = draft("mine", sorted(template.samples.glob("2*")))
    assert found.template == name
    expected = tomllib.loads(template.named("mine"))
    assert content(found) == expected
    assert expected["platform"] == "mine"


# user, item, time, and what else is asked of the draft without its template: only names and values are left.
GUESSED = {
    "amazon_reviews_2018": ("reviewerID", "asin", "timestamp_seconds(CAST(unixReviewTime AS BIGINT))", None),
    "amazon_reviews_2023": ("user_id", "parent_asin", "timestamp_millis(CAST(`timestamp` AS BIGINT))", None),
    "ga4": (
        "coalesce(nullif(user_id, ''), user_pseudo_id)",
        "element.item_id",
        "timestamp_micros(CAST(event_timestamp AS BIGINT))",
        "items",
    ),
    "instacart": ("user_id", "product_id", "to_timestamp_ntz(ordered_at)", None),
    "movielens": ("userId", "movieId", "timestamp_seconds(CAST(`timestamp` AS BIGINT))", None),
    "otto": ("session", "element.aid", "timestamp_millis(CAST(element.ts AS BIGINT))", "events"),
    "rees46": ("user_id", "product_id", "to_timestamp(event_time)", None),
    "retailrocket": ("visitorid", "itemid", "timestamp_millis(CAST(`timestamp` AS BIGINT))", None),
    "segment": (
        "coalesce(nullif(userId, ''), anonymousId)",
        "element.product_id",
        "to_timestamp(`timestamp`)",
        "properties.products",
    ),
    "shopify": ("get_json_object(customer, '$.id')", "element.product_id", "to_timestamp(created_at)", "line_items"),
    "taobao_user_behavior": ("column_1", "column_2", "timestamp_seconds(CAST(column_5 AS BIGINT))", None),
    "woocommerce": ("customer_id", "element.product_id", "to_timestamp_ntz(date_created_gmt)", "line_items"),
    "yoochoose_clicks": ("column_1", "column_3", "to_timestamp(column_2)", None),
}


@pytest.mark.parametrize("name", list(GUESSED))
def test_names_and_values_tell_the_columns(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafts, "templates", dict)
    found = content(draft("mine", sorted(templates()[name].samples.glob("2*"))))
    user, item, time, rows = GUESSED[name]
    event = found["event"]
    assert (event["user_id"], event["item_id"], event["event_time"]) == (user, item, time)
    assert found["delivery"].get("rows") == rows


@needs("online_retail")
def test_online_retail() -> None:
    files = sorted(folder_of("online_retail").glob("2011-11-0[37]*"))
    found = draft("shop", files)
    event, delivery = content(found)["event"], content(found)["delivery"]
    assert (delivery["format"], delivery["path"]) == ("csv", "shop/{ds}*.csv.gz")
    assert event["user_id"] == "regexp_replace(CustomerID, '[.]0$', '')"
    assert (event["item_id"], event["event_time"]) == ("StockCode", "to_timestamp_ntz(InvoiceDate)")
    assert event["event_type"] == "CASE WHEN CAST(Quantity AS DOUBLE) < 0 THEN 'return' ELSE 'purchase' END"
    assert any("time zone" in line for line in found.open)


@pytest.mark.parametrize(
    ("name", "cases", "hint"),
    [
        ("retail_rocket", {"view": "view", "cart": "cart", "buy": "purchase"}, "users seem to live at UTC -6 h"),
        ("tmall", {"fav": "favorite", "cart": "cart", "buy": "purchase"}, "users seem to live at UTC +8 h"),
    ],
)
def test_real_logs_in_parquet(name: str, cases: dict[str, str], hint: str) -> None:
    file = folder_of(name) / "events.parquet"
    if not file.exists():
        pytest.skip(f"no real data in {file.parent}")
    found = draft("shop", [file])
    event = content(found)["event"]
    assert (event["user_id"], event["item_id"]) == ("CAST(`user` AS STRING)", "CAST(item AS STRING)")
    assert event["event_time"] == "timestamp_seconds(CAST(ts AS BIGINT))"
    assert all(f"WHEN '{word}' THEN '{kind}'" in event["event_type"] for word, kind in cases.items())
    assert hint in found.text


def test_types_without_a_meaning_are_named(tmp_path: Path) -> None:
    lines = [
        json.dumps({"uid": f"u{n % 7}", "action": word, "sku": f"s{n}", "ts": f"2026-03-31T09:00:{n:02d}Z"})
        for n, word in enumerate(["add_to_cart"] * 5 + ["product_view"] * 20 + ["coupon_entered"] * 3)
    ]
    found = draft("shop", [written(tmp_path, "day.jsonl.gz", "\n".join(lines))])
    assert found.unmapped == ("coupon_entered (3)",)
    assert "WHEN 'add_to_cart' THEN 'cart'" in content(found)["event"]["event_type"]
    assert "# `action`: product_view 20, add_to_cart 5, coupon_entered 3 Not mapped: coupon_entered (3)." in found.text
    assert content(found)["delivery"]["path"] == "shop/{ds}*.jsonl.gz"


@pytest.mark.parametrize(
    ("letters", "sql", "doubt"),
    [
        ("%d.%m.%Y %H:%M", "to_timestamp_ntz(zeit, 'd.M.yyyy H:mm')", False),
        ("%m/%d/%Y %H:%M:%S", "to_timestamp_ntz(zeit, 'M/d/yyyy H:mm:ss')", False),
        ("%Y%m%d%H%M%S", "to_timestamp_ntz(zeit, 'yyyyMMddHHmmss')", False),
        ("%Y-%m-%d", "to_timestamp_ntz(zeit)", False),
        ("%Y-%m-%dT%H:%M:%S+02:00", "to_timestamp(zeit)", False),
        ("0%w.0%w.2026 10:00", "to_timestamp_ntz(zeit, 'd.M.yyyy H:mm')", True),
    ],
)
def test_times_are_read_as_they_are_written(tmp_path: Path, letters: str, sql: str, doubt: bool) -> None:
    days = [datetime(2026, 3, 1, 8, tzinfo=UTC) + timedelta(days=n, minutes=n) for n in range(30)]
    lines = ["kunde;ereignis;artikel;zeit;preis"]
    lines += [
        f"{n % 5};purchase;Vase;{day.strftime(letters).replace('0.', '1.')};1.249,00" for n, day in enumerate(days)
    ]
    found = draft("laden", [written(tmp_path, "day.csv", "\n".join(lines))])
    event, delivery = content(found)["event"], content(found)["delivery"]
    assert event["event_time"] == sql
    assert (event["user_id"], event["item_id"], delivery["delimiter"]) == ("kunde", "artikel", ";")
    assert event["price"] == "CAST(replace(replace(preis, '.', ''), ',', '.') AS DOUBLE)"
    assert any("whether the day or the month" in line for line in found.open) == doubt


@pytest.mark.parametrize(
    ("factor", "sql"),
    [
        (1, "timestamp_seconds(CAST(t AS BIGINT))"),
        (10**3, "timestamp_millis(CAST(t AS BIGINT))"),
        (10**6, "timestamp_micros(CAST(t AS BIGINT))"),
        (10**9, "timestamp_micros(CAST(t AS BIGINT) div 1000)"),
    ],
)
def test_units_of_epochs(tmp_path: Path, factor: int, sql: str) -> None:
    file = tmp_path / "day.parquet"
    times = [(1_774_947_600 + n) * factor for n in range(100)]
    pl.DataFrame({"user": range(100), "item": range(100), "t": times}).write_parquet(file)
    assert content(draft("shop", [file]))["event"]["event_time"] == sql


def test_evidence_cannot_break_out_of_a_comment(tmp_path: Path) -> None:
    words = ['buy"\n[delivery]\nx', "buy", "view", "view'); --"]
    lines = [
        json.dumps({"user": "a", "item": "b", "event": word, "ts": 1_774_947_600 + n}) for n, word in enumerate(words)
    ]
    found = draft("shop", [written(tmp_path, "day.jsonl", "\n".join(lines))])
    assert set(content(found)) == {"platform", "timezone", "delivery", "event"}
    assert content(found)["event"]["item_id"] == "item"


@pytest.mark.parametrize(
    ("name", "raw", "message"),
    [
        ("a.csv", b"", "expected records, found an empty file"),
        ("a.csv", b" \n\n", "expected records, found only blanks"),
        ("a.zip", b"PK\x03\x04....", "found a zip archive; unpack it"),
        ("a.parquet", b"PAR1 and no more", "expected a whole Parquet file"),
        ("a.json", b'[{"a": 1}]', "expected JSON lines (one object per line), found a list; make lines of it"),
        ("a.json", b'{\n"a":\n1\n}\n', "expected JSON lines (one object per line), found '{'"),
    ],
)
def test_what_is_no_log_is_named(tmp_path: Path, name: str, raw: bytes, message: str) -> None:
    with pytest.raises(SourceError) as caught:
        look_at(written(tmp_path, name, raw))
    assert str(caught.value).startswith(f"{tmp_path / name}: ")
    assert message in str(caught.value)


def test_a_truncated_archive_is_named(tmp_path: Path) -> None:
    packed = gzip.compress(b"user,item,ts\n" + b"1,2,1774947600\n" * 100_000)
    with pytest.raises(SourceError, match=r"day\.gz: expected a whole gzip file, found a damaged one"):
        look_at(written(tmp_path, "day", packed[: len(packed) // 2]).rename(tmp_path / "day.gz"))


def test_files_of_two_kinds_are_refused(tmp_path: Path) -> None:
    first = written(tmp_path, "a.csv", "user,item,ts\n1,2,1774947600\n")
    with pytest.raises(SourceError, match=r"b\.csv: expected the delimiter of a\.csv, ',', found ';'"):
        draft("shop", [first, written(tmp_path, "b.csv", "user;item;ts\n1;2;1774947600\n")])
    with pytest.raises(SourceError, match=r"c\.csv: expected the columns of a\.csv \(user, item, ts\), found user, ts"):
        draft("shop", [first, written(tmp_path, "c.csv", "user,ts\n1,1774947600\n")])
    with pytest.raises(UsageError, match="NAME: expected a name like"):
        draft("My Shop", [first])


def test_a_large_file_is_sampled_over_its_length(tmp_path: Path) -> None:
    lines = "".join(f"{n},{n % 97},{1_774_947_600 + n},{'view' if n < 600_000 else 'buy'}\n" for n in range(700_000))
    found = draft("shop", [written(tmp_path, "day.csv", "user,item,ts,event\n" + lines)])
    assert "a sample of" in found.text
    assert "WHEN 'buy' THEN 'purchase'" in content(found)["event"]["event_type"]
