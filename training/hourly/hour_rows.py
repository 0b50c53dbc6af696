"""What came in during an hour, user by user: what was known before it, and what was new.

A row of `user_history_intraday` is a user as known after the hour. New in it is what landed since
the base night and stands in no earlier refresh of the day: those are what the hour's readers could
not know, and what a model is asked to foretell.
"""

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as arrow_dataset

from pipeline.runtime.settings import Settings
from pipeline.storage.catalog import load_table
from pipeline.storage.publish import published_by
from pipeline.storage.reading import pinned_files, published
from pipeline.tables.intraday import USER_HISTORY_INTRADAY
from pipeline.tables.registry import TRAINING_EXAMPLES
from training.data.users import HEADS
from training.job import open_day

TABLE = USER_HISTORY_INTRADAY
MOST_USERS = 4096  # of an hour that are learned from: those with the smallest ids


def arrived(settings: Settings, hour: str, base: str) -> tuple[dict[str, int], pa.Table]:
    """Snapshot read, and rows of `training_examples` with `future` = what came in during the hour.

    Labels are null: none of them is complete within the hour. Empty when nothing came in.
    """
    if hour[:10] not in published(TABLE.name, settings):
        return {}, _examples(pl.DataFrame(schema=["user_id", "events", "daily", "future"]), hour)
    snapshot, rows = open_day(settings, TABLE, hour[:10])
    users = rows.filter(pc.field("hour") == hour)
    after = users.head(MOST_USERS, columns=["user_id", "events", "daily"])
    seen = _seen(settings, hour, after["user_id"].combine_chunks())
    return {TABLE.name: snapshot}, news(after, seen, base, hour)


def news(after: pa.Table, seen: pa.Table, base: str, hour: str) -> pa.Table:
    """The same from rows after the hour and before it (`user_id`, `events`)."""
    known = _numbered(_events(seen, base))
    events = _events(after, "")
    late = events.filter(pl.col("arrival_ds") > base)
    keys = [*(name for name in late.columns if name != "place"), "repeat"]
    new = _numbered(late).join(known, on=keys, how="anti", nulls_equal=True)
    marked = events.join(
        new.select("user_id", "place", is_new=pl.lit(value=True)),
        on=["user_id", "place"], how="left", maintain_order="left",
    )  # fmt: skip
    event = pl.struct(TRAINING_EXAMPLES.schema.field("events").type.value_type.names)
    is_new = pl.col("is_new").fill_null(value=False)
    split = marked.group_by("user_id", maintain_order=True).agg(
        events=event.filter(~is_new), future=event.filter(is_new)
    )
    split = split.filter(pl.col("future").list.len() > 0)
    daily = pl.DataFrame(after.select(["user_id", "daily"]))
    return _examples(split.join(daily, on="user_id", how="left"), hour)


def _seen(settings: Settings, hour: str, users: pa.Array) -> pa.Table:
    """These users as the day's refresh before the hour left them; nothing without one."""
    iceberg, ds = load_table(settings, TABLE), hour[:10]
    assert iceberg is not None, "a published table"
    columns = ["user_id", "events"]
    for snapshot in sorted(iceberg.snapshots(), key=lambda it: -(it.sequence_number or 0)):
        if ds not in published_by(snapshot):
            continue
        _, files = pinned_files(TABLE.name, ds, ds, settings, snapshot.snapshot_id)
        paths = [path.removeprefix("file://") for path in files]
        if not paths:  # a publish deletes first
            continue
        rows = arrow_dataset.dataset(paths, schema=TABLE.schema, format="parquet")
        if not rows.head(1, filter=pc.field("hour") >= hour, columns=["hour"]).num_rows:
            return rows.to_table(columns, filter=pc.field("user_id").isin(users))
    return pa.table({name: pa.array([], TABLE.schema.field(name).type) for name in columns})


def _events(rows: pa.Table, after: str) -> pl.DataFrame:
    """One row per event that arrived after a day: user, place in the list, fields."""
    found = pl.DataFrame(rows.select(["user_id", "events"])).explode("events")
    found = found.filter(pl.col("events").is_not_null()).unnest("events")
    placed = found.with_columns(place=pl.int_range(pl.len()).over("user_id"))
    return placed.filter(pl.col("arrival_ds") > after)


def _numbered(events: pl.DataFrame) -> pl.DataFrame:
    """Events that agree in everything are told apart by their number."""
    same = [name for name in events.columns if name != "place"]
    return events.with_columns(repeat=pl.int_range(pl.len()).over(same))


def _examples(rows: pl.DataFrame, hour: str) -> pa.Table:
    schema = TRAINING_EXAMPLES.schema
    columns = {
        name: rows[name].to_arrow().cast(schema.field(name).type)
        for name in ("user_id", "events", "daily", "future")
    }
    ds, number = hour[:10], len(rows)
    columns |= {"ds": pa.repeat(ds, number), "cutoff_ds": pa.repeat(ds, number)}
    columns |= {"fold": pa.repeat("train", number)}
    return pa.table(columns | {head: pa.nulls(number, pa.bool_()) for head in HEADS})
