"""The ingest job on bad input: rows quarantined with a reason, or the day refused by name."""

import hashlib
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark import cloudpickle
from pyspark.sql import SparkSession

from pipeline.runtime.errors import LandingError, SourceError
from pipeline.runtime.settings import Settings
from pipeline.sources.landing import active_sources
from pipeline.sources.user_key import load_user_key, pseudonym
from pipeline.storage import staging
from pipeline.tables.registry import RAW_EVENTS
from spark_jobs import ingest_raw
from spark_jobs.landing.ingest import ingest
from spark_jobs.landing.inspect import inspect_days, volume_facts
from tests.unit.spark_jobs.landed_shop import HEADER, TOML, land, open_shop, rows_of, run_ingest

pytestmark = pytest.mark.spark
DAY = "2011-03-01"
LINE = "anna,view,mug,2011-03-01 10:00:00,\n"


@pytest.fixture
def shop(spark: SparkSession, home: Settings) -> Settings:
    open_shop(home)
    return home


def outcomes() -> list[tuple[object, ...]]:
    return [row for (*row,) in rows_of("raw_events", "reject_reason")]


def test_bytes_that_are_no_text(shop: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMARK_MAX_RECORD_BYTES", "2048")
    huge = b"anna,view," + b"x" * 10_000_000 + b",2011-03-01 10:00:00,\n"
    lines = [LINE.encode(), b"an\xe9a,view,mug,,\n", b"an\0a,view,mug,,\n", huge, LINE.encode()]
    land(shop, f"shop/{DAY}.csv.gz", HEADER.encode() + b"".join(lines))
    run_ingest(monkeypatch, DAY, DAY)
    found = rows_of("raw_events", "reject_reason", "account_id", "record")
    reasons = sorted(str(reason) for reason, _, _ in found)
    assert reasons == ["None", "None", "bad_encoding", "null_byte", "oversized"]
    evidence = {reason: json.loads(str(record)) for reason, _, record in found if reason}
    assert evidence["bad_encoding"] == {"line": 3, "sha256": hashlib.sha256(lines[1]).hexdigest()}
    assert evidence["null_byte"]["line"] == 4
    assert evidence["oversized"] == {"line": 5, "sha256": hashlib.sha256(huge).hexdigest()}
    assert all(user is None for reason, user, _ in found if reason)


def test_another_encoding_is_read(shop: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    open_shop(shop, TOML.replace("[event]", 'encoding = "latin-1"\n[event]'))
    land(shop, f"shop/{DAY}.csv", (HEADER + LINE.replace("mug", "caf\xe9")).encode("latin-1"))
    run_ingest(monkeypatch, DAY, DAY)
    assert rows_of("raw_events", "item_id", "reject_reason") == [("shop:caf\xe9", None)]


def test_a_large_file_is_shared_by_tasks(shop: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spark_jobs.landing.lines.PART_BYTES", 10)
    lines = [LINE.replace("mug", f"mug{number:06}") for number in range(120_000)]
    land(shop, f"shop/{DAY}.csv", HEADER + "".join(lines))
    run_ingest(monkeypatch, DAY, DAY)
    items = [item for (item,) in rows_of("raw_events", "item_id")]
    assert items == [f"shop:mug{number:06}" for number in range(120_000)]


def test_columns_in_another_order_and_unknown_ones(shop: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    land(shop, f"shop/{DAY}-a.csv", HEADER + LINE)
    land(shop, f"shop/{DAY}-b.csv", f"what,who,new,item,at,price\nview,bert,1,cup,{DAY},\n")
    run_ingest(monkeypatch, DAY, DAY)
    assert rows_of("raw_events", "source_file", "item_id", "attributes") == [
        (f"shop/{DAY}-a.csv", "shop:mug", None),
        (f"shop/{DAY}-b.csv", "shop:cup", [("unknown.new", "1")]),
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (f"{DAY}.csv", b"", f"shop/{DAY}.csv: expected records, found an empty file"),
        (f"{DAY}.csv", b"who,what\n", f"shop/{DAY}.csv: expected the columns who, what, item"),
        (f"{DAY}.gz", None, f"shop/{DAY}.gz: expected a whole gzip file"),
        ("2011-02-28.csv", b"", f"shop: no file matches landing/shop/{DAY}*"),
    ],
)
def test_a_day_that_cannot_be_whole_is_refused(
    shop: Settings,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    content: bytes | None,
    message: str,
) -> None:
    file = land(shop, f"shop/{name}", os.urandom(99) if content is None else content)
    if content is None:
        file.write_bytes(file.read_bytes()[:-4])
    with pytest.raises(LandingError) as caught:
        run_ingest(monkeypatch, DAY, DAY)
    assert message in str(caught.value)
    assert not list(shop.staging.glob("raw_events/*"))


def test_empty_days_may_be_allowed(shop: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMARK_ALLOW_EMPTY", "true")
    land(shop, "shop/2011-02-28.csv", HEADER + LINE)
    land(shop, f"shop/{DAY}.csv", "")
    run_ingest(monkeypatch, "2011-02-28", "2011-03-02")
    assert rows_of("raw_events", "ds") == [("2011-02-28",)]


def test_a_closed_day_has_no_rows_and_is_published(shop: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    open_shop(shop, TOML.replace("[event]", "closed_dates = [2011-03-01]\n[event]"))
    land(shop, "shop/2011-02-28.csv", HEADER + LINE)
    run_ingest(monkeypatch, "2011-02-28", DAY)
    assert rows_of("raw_events", "ds") == [("2011-02-28",)]


def test_a_file_that_changes_while_it_is_read(shop: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    file = land(shop, f"shop/{DAY}.csv", HEADER + LINE)
    ingest = ingest_raw.ingest

    def ingest_and_append(*arguments: object) -> object:
        with file.open("a") as more:
            more.write(LINE)
        return ingest(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(ingest_raw, "ingest", ingest_and_append)
    with pytest.raises(LandingError, match=rf"shop/{DAY}\.csv: changed while it was read"):
        run_ingest(monkeypatch, DAY, DAY)
    assert not list(shop.staging.glob("raw_events/*/*/current.json"))


def test_the_audit_is_told_the_landed_records(shop: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    land(shop, f"shop/{DAY}.csv", HEADER + LINE * 3 + "broken\n")
    run_ingest(monkeypatch, DAY, DAY)
    [run] = (shop.staging / "raw_events").iterdir()
    [manifest] = staging.current(shop, RAW_EVENTS.name, run.name)
    assert manifest.facts["rows"] == {DAY: 4}
    assert (manifest.facts["platforms"], manifest.facts["not_required"]) == ({DAY: ["shop"]}, [])


def test_a_platform_without_a_record_is_judged_unless_a_day_may_be_empty(
    shop: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(shop, f"shop/{DAY}.csv", HEADER)
    landed = inspect_days(shop, active_sources(shop), [DAY])
    assert volume_facts(landed, allow_empty=False)["platforms"] == {DAY: ["shop"]}
    assert volume_facts(landed, allow_empty=True)["platforms"] == {}


def test_a_folder_that_no_source_reads_stops_nothing(
    shop: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    land(shop, f"shop/{DAY}.csv", HEADER + LINE)
    land(shop, f"shopp/{DAY}.csv", HEADER + LINE)
    run_ingest(monkeypatch, DAY, DAY)
    assert rows_of("raw_events", "platform") == [("shop",)]
    assert "warning: landing/shopp: no source reads this folder" in capsys.readouterr().out


PARQUET = """
platform = "lake"
timezone = "UTC"
[delivery]
path = "lake/{ds}/*.parquet"
format = "parquet"
columns = ["user", "item", "ts"]
[event]
user_id = "`user`"
item_id = "item"
event_type = "'view'"
event_time = "timestamp_seconds(CAST(ts AS BIGINT))"
"""


def lake_file(home: Settings, name: str, **columns: list[object]) -> Path:
    path = home.landing / "lake" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path


def test_parquet_with_columns_of_mixed_types(
    spark: SparkSession, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEMARK_MAX_RECORD_BYTES", "1024")
    open_shop(home, PARQUET, "lake")
    noon = 1_298_980_800  # 2011-03-01 12:00:00 UTC
    lake_file(home, f"{DAY}/a b+c%20.parquet", user=[1, None], item=[7, 7], ts=[noon, noon])
    lake_file(home, f"{DAY}/d.parquet", item=["8", "x" * 2000], ts=[str(noon), "x"], user=["2", "3"])
    run_ingest(monkeypatch, DAY, DAY)
    name = f"lake/{DAY}/a b+c%20.parquet"
    assert rows_of("raw_events", "source_file", "item_id", "reject_reason") == [
        (name, "lake:7", None),
        (name, None, "missing_user_id"),
        (f"lake/{DAY}/d.parquet", "lake:8", None),
        (f"lake/{DAY}/d.parquet", None, "oversized"),
    ]


def test_rows_are_of_accounts_whatever_the_map_says(shop: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    land(shop, f"shop/{DAY}.csv", HEADER + LINE + LINE.replace("anna", "bert"))
    land(shop, "identity.csv", "platform,raw_id,person_id\nshop,anna,9\nshop,x,9\n")
    run_ingest(monkeypatch, DAY, DAY)
    key = load_user_key(shop.home)
    accounts = sorted(pseudonym(key, f"shop:{name}") for name in ("anna", "bert"))
    assert rows_of("raw_events", "account_id") == [(account,) for account in accounts]


def test_a_wrong_identity_map_is_refused(shop: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    land(shop, f"shop/{DAY}.csv", HEADER + LINE)
    land(shop, "identity.csv", "platform,raw_id,person_id\nshop,a,1\nshop,a,\n")
    with pytest.raises(LandingError, match=r"identity\.csv: row 3: expected a person_id, found none"):
        run_ingest(monkeypatch, DAY, DAY)
    assert not list(shop.staging.glob("*/*/*/current.json"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"who"\nitem', '"whom"\nitem', "event.user_id = 'whom': [UNRESOLVED_COLUMN"),
        ('item_id = "item"', 'item_id = "item +"', "event.item_id = 'item +': [PARSE_SYNTAX_ERROR"),
        ("to_timestamp_ntz(at)", "at", "event.event_time = 'at': expected TIMESTAMP (an instant)"),
        ("[event]", "[reject]\nodd = 'nope(1)'\n[event]", "reject.odd = 'nope(1)': [UNRESOLVED_"),
    ],
)
def test_a_wrong_expression_is_named(
    shop: Settings, monkeypatch: pytest.MonkeyPatch, old: str, new: str, message: str
) -> None:
    assert old in TOML
    open_shop(shop, TOML.replace(old, new, 1))
    land(shop, f"shop/{DAY}.csv", HEADER + LINE)
    with pytest.raises(SourceError) as caught:
        run_ingest(monkeypatch, DAY, DAY)
    assert message in str(caught.value)
    assert str(shop.sources / "shop.toml") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nothing_landed_at_all(spark: SparkSession, home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LandingError, match="expected a folder per platform, found none"):
        run_ingest(monkeypatch, DAY, DAY)


def test_no_raw_id_reaches_the_tables(shop: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["secret17,view,mug,soon,\n", "secret17,view\n", "secret17,view,mug,2011-03-01,\n"]
    land(shop, f"shop/{DAY}.csv", HEADER + "".join(lines))
    run_ingest(monkeypatch, DAY, DAY)
    assert len(rows_of("raw_events")) == 3
    assert "secret17" not in str(rows_of("raw_events"))


def test_no_raw_id_is_in_what_spark_sends_to_every_task(shop: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broadcasts and plans leave the rows: whoever gets at the block service would read them first."""
    sent: list[bytes] = []
    dump = cloudpickle.dumps
    monkeypatch.setattr(
        cloudpickle, "dumps", lambda it, *args, **more: sent.append(dump(it, *args, **more)) or sent[-1]
    )
    land(shop, f"shop/{DAY}.csv", HEADER + LINE.replace("anna", "secret17"))
    land(shop, "identity.csv", "platform,raw_id,person_id\nshop,secret17,secret99\nshop,secret18,secret99\n")
    rows = ingest(SparkSession.active(), inspect_days(shop, active_sources(shop), [DAY]), shop).frame()
    plan = rows._jdf.queryExecution().executedPlan().toString()
    assert "secret17" not in plan and "BroadcastExchange" not in plan
    run_ingest(monkeypatch, DAY, DAY)
    assert sent and not [it for it in sent if b"secret" in it]
    assert len(rows_of("identities", "account_id")) == 2
