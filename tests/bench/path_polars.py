"""The data path as a Polars script on one machine: landed events → events, sessions and histories, as Parquet.

    python -m tests.bench.path_polars KEY OUT FILE…

It knows the one source of `bench_path` by heart, checks nothing, publishes nothing, and sees one day only.
"""

import gzip
import hashlib
import hmac
import sys
from pathlib import Path

import polars as pl

SCHEMA = {
    "uid": pl.String,
    "ts": pl.String,
    "action": pl.String,
    "sku": pl.String,
    "price": pl.Float64,
    "qty": pl.Float64,
}
TYPES = ["impression", "view", "search", "cart", "favorite", "purchase", "return", "review"]
BROWSING = ["impression", "view", "search"]
DEED = ["account_id", "item_id", "event_type", "quantity", "price"]


def landed(files: list[str]) -> pl.DataFrame:
    if files[0].endswith(".parquet"):
        return pl.read_parquet(files)
    return pl.concat([pl.read_ndjson(gzip.open(file).read(), schema=SCHEMA) for file in files])


def named(rows: pl.DataFrame, key: bytes) -> pl.DataFrame:
    """With pseudonyms, and a hash of each event's content."""
    raw = rows["uid"].unique()
    names = [hmac.digest(key, f"shop:{name}".encode(), "sha256").hex()[:32] for name in raw.to_list()]
    accounts = pl.DataFrame({"uid": raw, "account_id": names})
    found = rows.join(accounts, on="uid", how="left").select(
        "account_id",
        item_id="shop:" + pl.col("sku"),
        event_type="action",
        event_time=pl.col("ts").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_zone="UTC"),
        price="price",
        quantity="qty",
        content=pl.concat_str("account_id", "sku", "action", "ts", "price", "qty", separator="|"),
    )
    ids = [hashlib.sha256(text.encode()).hexdigest()[:32] for text in found["content"].to_list()]
    return found.drop("content").with_columns(event_id=pl.Series(ids))


def cleaned(rows: pl.DataFrame) -> pl.DataFrame:
    """Without near duplicates of two seconds, and without bots."""
    rows = rows.sort(*DEED, "event_time", "event_id")
    same = pl.all_horizontal([pl.col(name) == pl.col(name).shift() for name in DEED])
    apart = (pl.col("event_time") - pl.col("event_time").shift()).dt.total_seconds()
    rows = rows.filter(~(same & (apart <= 2)).fill_null(False))
    minutes = (
        rows.filter(pl.col("event_type").is_in(BROWSING))
        .group_by("account_id", pl.col("event_time").dt.truncate("1m"))
        .len()
    )
    browsed = minutes.group_by("account_id").agg(day=pl.sum("len"), minute=pl.max("len"))
    bots = browsed.filter((pl.col("day") > 1000) | (pl.col("minute") > 60))["account_id"]
    return rows.filter(~pl.col("account_id").is_in(bots.implode()))


def sessions(events: pl.DataFrame) -> pl.DataFrame:
    silence = pl.col("event_time").diff().dt.total_seconds() >= 1800
    new = ((pl.col("account_id") != pl.col("account_id").shift()) | silence).fill_null(True)
    purchase = pl.col("event_type") == "purchase"
    return (
        events.with_columns(session=new.cum_sum())
        .group_by("session", maintain_order=True)
        .agg(
            pl.first("account_id"),
            pl.first("event_time").alias("started_at"),
            pl.last("event_time").alias("ended_at"),
            pl.len().alias("events"),
            pl.col("item_id").n_unique().alias("items"),
            purchase.sum().alias("purchases"),
            (pl.col("quantity") * pl.col("price")).filter(purchase).sum().alias("value"),
            pl.col("item_id").alias("item_ids"),
        )
    )


def histories(events: pl.DataFrame) -> pl.DataFrame:
    listed = events.filter(pl.col("event_type") != "impression").group_by("account_id", maintain_order=True)
    newest = listed.agg(
        pl.struct("item_id", "event_type", "event_time", "quantity", "price").tail(1024).alias("events")
    )
    value = pl.col("quantity") * pl.col("price")
    counts = events.group_by("account_id", "event_type").agg(pl.len(), pl.sum("quantity"), value.sum().alias("value"))
    daily = counts.group_by("account_id").agg(pl.struct("event_type", "len", "quantity", "value").alias("daily"))
    return daily.join(newest, on="account_id", how="left")


def main() -> None:
    key, out, *files = sys.argv[1:]
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    rows = landed(files)
    known = rows["action"].is_in(TYPES)
    rows.filter(~known).write_parquet(folder / "quarantine.parquet")
    events = cleaned(named(rows.filter(known), key.encode())).sort("account_id", "event_time", "event_id")
    del rows
    events.write_parquet(folder / "events.parquet")
    sessions(events).write_parquet(folder / "sessions.parquet")
    histories(events).write_parquet(folder / "user_history.parquet")


if __name__ == "__main__":
    main()
