"""What came in during an hour, user by user: what was known before it, and what was new.

A row of `user_history_intraday` is a user as known after the hour. Its new events are those that landed since the base
night and are in no earlier refresh of the day: nothing could know them before the hour, and a model is asked to predict
them.
"""

from dataclasses import dataclass

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as arrow_dataset

from pipeline.runtime.settings import Settings
from pipeline.storage.catalog import load_table
from pipeline.storage.declared import arrow_dataset_of
from pipeline.storage.publications import published_by
from pipeline.storage.reading import open_day, pinned_files, published
from pipeline.tables.intraday import USER_HISTORY_INTRADAY
from pipeline.tables.registry import TRAINING_EXAMPLES
from training.data.arrow import day_number
from training.data.catalogue import Catalogue
from training.data.draws import uniform
from training.data.users import HEADS, Examples, to_examples

MOST_USERS = 4096  # users of an hour that are learned from: those with the smallest ids

HELD = "4"  # users below it are used for judging and never replayed: a quarter
MOST_HELD, MOST_REPLAYED = 512, 1024  # rows
REPLAY_DRAW = 9  # purpose of the draw


def arrived(settings: Settings, hour: str, base: str) -> tuple[dict[str, int], pa.Table]:
    """The snapshot read, and rows of `training_examples` whose `future` is what came in during the hour.

    Labels are null: none is complete within the hour. Empty if nothing came in.
    """
    if hour[:10] not in published(USER_HISTORY_INTRADAY.name, settings):
        return {}, _examples(pl.DataFrame(schema=["user_id", "events", "daily", "future"]), hour)
    snapshot, rows = open_day(settings, USER_HISTORY_INTRADAY, hour[:10])
    users = rows.filter(pc.field("hour") == hour)
    after = users.head(MOST_USERS, columns=["user_id", "events", "daily"])
    seen = _seen(settings, hour, after["user_id"].combine_chunks())
    return {USER_HISTORY_INTRADAY.name: snapshot}, news(after, seen, base, hour)


def news(after: pa.Table, seen: pa.Table, base: str, hour: str) -> pa.Table:
    """The same, from rows after and before the hour (`user_id`, `events`)."""
    known = _numbered(_events(seen, base))
    events = _events(after, "")
    late = events.filter(pl.col("arrival_ds") > base)
    keys = [*(name for name in late.columns if name != "place"), "repeat"]
    new = _numbered(late).join(known, on=keys, how="anti", nulls_equal=True)
    marked = events.join(
        new.select("user_id", "place", is_new=pl.lit(value=True)),
        on=["user_id", "place"],
        how="left",
        maintain_order="left",
    )
    event = pl.struct(TRAINING_EXAMPLES.schema.field("events").type.value_type.names)
    is_new = pl.col("is_new").fill_null(value=False)
    split = marked.group_by("user_id", maintain_order=True).agg(
        events=event.filter(~is_new), future=event.filter(is_new)
    )
    split = split.filter(pl.col("future").list.len() > 0)
    daily = pl.DataFrame(after.select(["user_id", "daily"]))
    return _examples(split.join(daily, on="user_id", how="left"), hour)


def _seen(settings: Settings, hour: str, users: pa.Array) -> pa.Table:
    """These users as the day's previous refresh left them; empty without one."""
    iceberg, ds = load_table(settings, USER_HISTORY_INTRADAY), hour[:10]
    assert iceberg is not None, "a published table"
    columns = ["user_id", "events"]
    for snapshot in sorted(iceberg.snapshots(), key=lambda it: -(it.sequence_number or 0)):
        if ds not in published_by(snapshot):
            continue
        _, files = pinned_files(USER_HISTORY_INTRADAY.name, ds, ds, settings, snapshot.snapshot_id)
        if not files:  # a publish deletes first
            continue
        rows = arrow_dataset_of(USER_HISTORY_INTRADAY, files)
        if not rows.head(1, filter=pc.field("hour") >= hour, columns=["hour"]).num_rows:
            return rows.to_table(columns, filter=pc.field("user_id").isin(users))
    return pa.table({name: pa.array([], USER_HISTORY_INTRADAY.schema.field(name).type) for name in columns})


def _events(rows: pa.Table, after: str) -> pl.DataFrame:
    """One row per event that arrived after a day: user, place in the list, fields."""
    found = pl.DataFrame(rows.select(["user_id", "events"])).explode("events")
    found = found.filter(pl.col("events").is_not_null()).unnest("events")
    placed = found.with_columns(place=pl.int_range(pl.len()).over("user_id"))
    return placed.filter(pl.col("arrival_ds") > after)


def _numbered(events: pl.DataFrame) -> pl.DataFrame:
    """Identical events are distinguished by their number."""
    same = [name for name in events.columns if name != "place"]
    return events.with_columns(repeat=pl.int_range(pl.len()).over(same))


def _examples(rows: pl.DataFrame, hour: str) -> pa.Table:
    schema = TRAINING_EXAMPLES.schema
    columns = {
        name: rows[name].to_arrow().cast(schema.field(name).type) for name in ("user_id", "events", "daily", "future")
    }
    ds, number = hour[:10], len(rows)
    columns |= {"ds": pa.repeat(ds, number), "cutoff_ds": pa.repeat(ds, number)}
    columns |= {"fold": pa.repeat("train", number)}
    return pa.table(columns | {head: pa.nulls(number, pa.bool_()) for head in HEADS})


@dataclass(frozen=True)
class Older:
    """Rows of the examples that the champion was trained on; their labels are complete."""

    inputs: dict[str, int]
    held: Examples
    replayed: Examples

    @classmethod
    def of(cls, settings: Settings, ds: str, hour: str, catalogue: Catalogue) -> "Older":
        """No rows if the examples of `ds`, the champion's day, are not published."""
        if ds not in published(TRAINING_EXAMPLES.name, settings):
            none = to_examples(TRAINING_EXAMPLES.schema.empty_table(), catalogue)
            return cls({}, none, none)
        snapshot, rows = open_day(settings, TRAINING_EXAMPLES, ds)
        held = rows.filter((pc.field("fold") == "valid") & (pc.field("user_id") < HELD))
        return cls(
            {TRAINING_EXAMPLES.name: snapshot},
            to_examples(held.head(MOST_HELD), catalogue),
            to_examples(_drawn(rows, hour), catalogue),
        )


def _drawn(rows: arrow_dataset.Dataset, hour: str) -> pa.Table:
    """Rows of the train fold, starting at a user drawn for the hour and wrapping around to the first user."""
    luck = float(uniform(REPLAY_DRAW, day_number(hour[:10]) * 24 + int(hour[-2:])))
    first = int(HELD, 16) * 16**3
    start = f"{first + int(luck * (16**4 - first)):04x}"
    learned, user = pc.field("fold") == "train", pc.field("user_id")
    found = rows.filter(learned & (user >= start)).head(MOST_REPLAYED)
    more = rows.filter(learned & (user >= HELD) & (user < start))
    return pa.concat_tables([found, more.head(MOST_REPLAYED - len(found))])
