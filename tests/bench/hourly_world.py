"""A generated sample as hours: users as known at any hour, and what they did in the next."""

import tempfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

import pipeline.sources.sample.world as sample_world
from pipeline.sources.sample.clock import DAY_MS, LAST_DAY, PLATFORMS, Clock
from pipeline.sources.sample.formats import EventFormat
from pipeline.sources.sample.people import NEVER, People, Shift, plant_people
from pipeline.sources.sample.rows import EVENT_FATES, Kind, Rows
from pipeline.sources.sample.topics import TOPIC_NAMES
from pipeline.sources.sample.world import World, plant_world
from pipeline.tables.registry import TRAINING_EXAMPLES
from training.data.arrow import day_number
from training.data.catalogue import Catalogue, build_catalogue
from training.data.users import HEADS
from training.texts.encoders import fit

ACTS = {"click": "view", "cart": "cart", "purchase": "purchase", "return": "return"}
WEEK = 7  # days that an example looks ahead
KINDS = [kind.name.lower() for kind in Kind]


@dataclass
class Recorder:
    """Stands in for a file format: keeps the rows that are events of items, but impressions."""

    form: EventFormat
    day: int = 0
    kept: list[pl.DataFrame] = field(default_factory=list)

    def header(self) -> bytes:
        return self.form.header()

    def encode(self, rows: Rows) -> bytes:
        landed = np.isin(rows.fate, EVENT_FATES) & (rows.item >= 0) & (rows.kind != Kind.IMPRESSION)
        kept = rows.take(landed)
        names = ("user", "item", "kind", "time", "price", "quantity")
        frame = pl.DataFrame({name: getattr(kept, name) for name in names})
        self.kept.append(frame.cast(pl.Int64).with_columns(day=pl.lit(self.day, pl.Int64)))
        return b""


@dataclass(frozen=True)
class Shop:
    """`events`: user, item, kind, time, price, quantity, day, and `at`, the hour since the start in
    which it landed; by user and `at`. `shifts`: user, day and kind of each planted shift.
    """

    events: pl.DataFrame
    shifts: pl.DataFrame
    items: pl.Series  # id of each item of the events
    catalogue: Catalogue
    clock: Clock

    def day(self, number: int) -> int:
        """Days since 1970."""
        return day_number(self.clock.ds(number))

    @cached_property
    def _told(self) -> pl.DataFrame:
        """Events as lists of the tables hold them."""
        days = pl.Series([self.clock.ds(day) for day in range(self.clock.days)], dtype=pl.String)
        moment = pl.from_epoch("time", "ms").dt.cast_time_unit("us").dt.replace_time_zone("UTC")
        found = self.events.select(
            "user",
            "at",
            item_id=self.items.gather(self.events["item"]),
            event_type=pl.Series(KINDS).gather(self.events["kind"]),
            event_time=moment,
            arrival_ds=days.gather(self.events["day"]),
            quantity=pl.when(pl.col("quantity") > 0).then("quantity").cast(pl.Float64),
            price=pl.when(pl.col("price") >= 0).then(pl.col("price") / 100).cast(pl.Float64),
            text=pl.lit(None, pl.String),
        )
        return found.with_columns(platform=pl.col("item_id").str.split(":").list.first())

    def examples(self, rows: pl.DataFrame) -> pa.Table:
        """Rows of `training_examples` of (user, known, until, fold): hours [0, known) are past,
        [known, until) are ahead."""
        rows = rows.select("user", "known", "until", "fold").with_row_index("row")
        joined = rows.join(self._told, on="user", maintain_order="left")
        event = pl.struct(TRAINING_EXAMPLES.schema.field("events").type.value_type.names)
        past = joined.filter(pl.col("at") < pl.col("known"))
        ahead = joined.filter((pl.col("at") >= pl.col("known")) & (pl.col("at") < pl.col("until")))
        lists = [
            past.group_by("row").agg(events=event),
            ahead.group_by("row").agg(future=event, kinds=pl.col("event_type").unique()),
            _daily(past),
        ]
        for each in lists:
            rows = rows.join(each, on="row", how="left", maintain_order="left")
        none = pl.lit([])
        rows = rows.with_columns(
            *(pl.col(name).fill_null([]) for name in ("events", "future", "daily")),
            kinds=pl.col("kinds").fill_null(none.cast(pl.List(pl.String))),
        )
        return self._table(rows)

    def _table(self, rows: pl.DataFrame) -> pa.Table:
        days = [self.clock.ds(max(0, (known - 1) // 24)) for known in rows["known"].to_list()]
        columns = {
            "user_id": [f"{n * 2654435761 % 2**32:08x}{n:024x}" for n in rows["user"].to_list()],
            "cutoff_ds": days,
            "ds": days,
            "fold": rows["fold"].to_list(),
        }
        is_labelled = rows["until"] - rows["known"] == WEEK * 24
        for head in HEADS:
            act, _, span = head.rpartition("_")
            label = rows["kinds"].list.contains(ACTS[act]) if act in ACTS else (rows["kinds"].list.len() == 0)
            known = is_labelled & (span == f"{WEEK}d")
            columns[head] = label.set(~known, None).to_arrow()
        for name in ("events", "future", "daily"):
            kind = TRAINING_EXAMPLES.schema.field(name).type
            columns[name] = rows[name].to_arrow().cast(kind)
        return pa.table(columns)


def _daily(past: pl.DataFrame) -> pl.DataFrame:
    keys = ["row", "arrival_ds", "platform", "event_type"]
    counts = past.group_by(keys).agg(
        events=pl.len().cast(pl.Int32),
        quantity=pl.col("quantity").sum(),
        value=(pl.col("quantity") * pl.col("price")).sum(),
    )
    entry = pl.struct("arrival_ds", "platform", "event_type", "events", "quantity", "value")
    return counts.sort(keys).group_by("row").agg(daily=entry)


def shop_of(events: int, days: int, seed: int, density: float = 1.0, common: tuple[float, int] = (0.0, 0)) -> Shop:
    """A generated shop whose people come `density` times as often.

    `common`: share of people whose strongest interest moves to one topic, all on one day; the
    generator itself plants nothing of the kind.
    """
    world = _world(events, days, seed, density, common)
    recorders = [Recorder(form) for form in world.formats]
    world.formats = recorders  # type: ignore[assignment]
    with tempfile.TemporaryDirectory() as folder:
        for day in range(days):
            for recorder in recorders:
                recorder.day = day
            world.land(Path(folder), day)
    rows = pl.concat([frame for recorder in recorders for frame in recorder.kept])
    rows = rows.filter(pl.col("user") < len(world.people))
    start = int(np.datetime64(world.clock.ds(0), "ms").astype(int))
    hour = ((pl.col("time") - start - pl.col("day") * DAY_MS) // 3_600_000).clip(0, 23)
    rows = rows.with_columns(at=pl.col("day") * 24 + hour).sort("user", "at", "time")
    people = world.people
    moved = np.flatnonzero(people.shift != Shift.NONE)
    kinds = [Shift(kind).name.lower() for kind in people.shift[moved]]
    shifts = pl.DataFrame({"user": moved, "day": people.shift_day[moved], "kind": kinds})
    ids = [f"{PLATFORMS[p]}:{n:06d}" for n, p in enumerate(world.catalogue.platform)]
    return Shop(rows, shifts, pl.Series(ids), _catalogue(world, ids), world.clock)


def _world(events: int, days: int, seed: int, density: float, common: tuple[float, int]) -> World:
    def moved(rng: np.random.Generator, number: int, days: int) -> People:
        people = plant_people(rng, max(20, round(number / density)), days)
        chosen = np.random.default_rng(seed).random(len(people)) < common[0]
        people.shift[chosen] = Shift.ABRUPT
        people.shift_day[chosen], people.shift_length[chosen] = common[1], 1
        people.gone_day[chosen], people.strength[chosen] = NEVER, 0.9
        people.new_topic[chosen] = TOPIC_NAMES.index("gardening")
        return people

    sample_world.plant_people = moved
    try:
        return plant_world(events, Clock(days, LAST_DAY), seed)
    finally:
        sample_world.plant_people = plant_people


def _catalogue(world: World, ids: list[str]) -> Catalogue:
    """The items with vectors of their titles."""
    found = world.catalogue
    vectors = fit("tfidf", found.title).encode(found.title)
    table = pa.table(
        {
            "item_id": ids,
            "encoder": ["tfidf"] * len(ids),
            "embedding": pa.array(list(vectors), pa.list_(pa.float32())),
        }
    )
    known = [world.clock.ds(max(int(day), 0)) for day in found.first_day]
    return build_catalogue(table, pa.table({"item_id": ids, "first_ds": known}))
