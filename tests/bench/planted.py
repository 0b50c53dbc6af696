"""People with planted shifts: from the generator alone, or from a home that it filled."""

import argparse
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

import pipeline.sources.sample.world as sample_world
from pipeline.runtime.settings import Settings
from pipeline.sources.sample import truth
from pipeline.sources.sample.clock import LAST_DAY, PLATFORMS, Clock
from pipeline.sources.sample.formats import EventFormat
from pipeline.sources.sample.people import People, plant_people
from pipeline.sources.sample.rows import EVENT_FATES, Kind, Rows
from pipeline.sources.sample.topics import TOPIC_NAMES
from pipeline.sources.sample.visits import Visits
from pipeline.sources.sample.world import World, plant_world
from pipeline.sources.user_key import load_user_key, pseudonym
from pipeline.storage.reading import read
from pipeline.tables.interests import ITEM_TOPICS
from pipeline.tables.registry import USER_HISTORY
from spark_jobs.interests.touches import LISTS

PERSON = ("kind", "start_ds", "churned_ds", "to_topic", "topics", "weights")


def arguments(doc: str | None) -> argparse.ArgumentParser:
    """A parser of the samples to plant."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--density", type=float, default=1.0)
    parser.add_argument("--seeds", type=int, nargs="*", default=[101])
    return parser


@dataclass(frozen=True)
class Planted:
    """`histories` (`history_lists`); `item_topics`: item_id, topic_id; `people`: user_id and
    PERSON of each row of `histories`, `kind` null without a shift; `last`: the last day. Of the
    generator alone: `world`, and `visits` that are no errands (person, the day they landed, topic).
    """

    histories: pl.DataFrame
    item_topics: pl.DataFrame
    people: pl.DataFrame
    last: str
    world: World | None = None
    visits: np.ndarray | None = None


@dataclass
class Recorder:
    """Stands in for a file format: keeps the rows that are events instead of writing them."""

    form: EventFormat
    ds: str = ""
    kept: list[pl.DataFrame] = field(default_factory=list)

    def header(self) -> bytes:
        return self.form.header()

    def encode(self, rows: Rows) -> bytes:
        landed = np.isin(rows.fate, EVENT_FATES) & (rows.item >= 0) & (rows.kind != Kind.IMPRESSION)
        kept = rows.take(landed)
        frame = pl.DataFrame({"user": kept.user, "item": kept.item, "kind": kept.kind})
        self.kept.append(frame.cast(pl.Int64).with_columns(days=pl.lit(self.ds)))
        return b""


def generated(events: int, days: int, seed: int, density: float = 1.0) -> Planted:
    """A sample with its true topics; `density` times fewer people share the same events."""
    world = _world(events, days, seed, density)
    recorders = [Recorder(form) for form in world.formats]
    world.formats = recorders  # type: ignore[assignment]
    visits = _record_visits(world)
    with tempfile.TemporaryDirectory() as folder:
        for day in range(days):
            for recorder in recorders:
                recorder.ds = world.clock.ds(day)
            world.land(Path(folder), day)
    ids = truth.person_ids(world.people)
    rows = pl.concat([frame for recorder in recorders for frame in recorder.kept])
    rows = rows.filter(pl.col("user") < len(world.people))
    rows = rows.select(
        (pl.lit("P") + pl.col("user").cast(pl.String).str.zfill(7)).alias("user_id"),
        items=pl.col("item").cast(pl.String),
        kinds=pl.Series([kind.name.lower() for kind in Kind]).gather(rows["kind"]),
        days="days",
    )
    histories = rows.group_by("user_id").agg(*LISTS).sort("user_id")
    topics = pl.Series(TOPIC_NAMES).gather(world.catalogue.topic)
    items = pl.Series(range(len(topics))).cast(pl.String)
    people = truth.users(world.people, world.bots, ids, world.clock).join(
        truth.shifts(world.people, ids, world.clock), on="person_id", how="left"
    )
    people = people.select(pl.col("person_id").alias("user_id"), *PERSON)
    return Planted(
        histories,
        pl.DataFrame({"item_id": items, "topic_id": topics}),
        histories.select("user_id").join(people, on="user_id", how="left", maintain_order="left"),
        LAST_DAY.isoformat(),
        world,
        np.concatenate(visits),
    )


def _record_visits(world: World) -> list[np.ndarray]:
    """Filled with (person, day, topic) of each day's visits while the world lands."""
    kept: list[np.ndarray] = []
    draw = world.visits_of_day

    def drawn(rng: np.random.Generator, day: int, due_rows: int) -> Visits:
        found = draw(rng, day, due_rows)
        mine = found.take((found.wanted < 0) & (found.user < len(world.people)))
        kept.append(np.stack([mine.user, np.full(len(mine), day), mine.topic], axis=1))
        return found

    world.visits_of_day = drawn  # type: ignore[method-assign]
    return kept


def in_home(settings: Settings, ds: str, true_topics: bool) -> Planted:
    """What a home filled from a sample knows on `ds`: with the night's topics, or the true ones."""
    folder = settings.landing / "_truth"
    users, shifts = (pl.read_parquet(folder / f"{name}.parquet") for name in ("users", "shifts"))
    known = users.filter(~pl.col("is_bot")).join(
        shifts.drop("webshop_id", "marketplace_id"), on="person_id", how="left"
    )
    key = load_user_key(settings.home)
    names = [pseudonym(key, _identity(row)) for row in known.iter_rows(named=True)]
    people = known.select(*PERSON).with_columns(user_id=pl.Series(names))
    history = pl.DataFrame(read(USER_HISTORY.name, ds, settings).select(["user_id", "events"]))
    fields = {to: pl.col("events").list.eval(pl.element().struct.field(f)) for to, f in LISTS.items()}
    histories = history.select("user_id", **fields).sort("user_id")
    item_id = pl.col("platform") + ":" + pl.col("raw_id")
    items = pl.read_parquet(folder / "items.parquet")
    topics = items.select(item_id=item_id, topic_id="topic")
    if not true_topics:
        true = topics.rename({"topic_id": "to_topic"})
        topics = pl.DataFrame(read(ITEM_TOPICS.name, ds, settings).select(["item_id", "topic_id"]))
        people = people.join(_same_topics(true, topics), on="to_topic", how="left")
        people = people.drop("to_topic").rename({"topic_id": "to_topic"})
    joined = histories.select("user_id").join(people, on="user_id", how="left", maintain_order="left")
    return Planted(histories, topics, joined, ds)


def _same_topics(true: pl.DataFrame, topics: pl.DataFrame) -> pl.DataFrame:
    """For each planted topic (`to_topic`) the `topic_id` that holds most of its items."""
    both = true.join(topics, on="item_id").group_by("to_topic", "topic_id").len()
    ordered = both.sort("to_topic", "len", descending=[False, True])
    return ordered.group_by("to_topic", maintain_order=True).first().drop("len")


def _identity(person: dict[str, str]) -> str:
    """What the pseudonym of a person is made of."""
    ids = {name: person[f"{name}_id"] for name in PLATFORMS if person[f"{name}_id"]}
    if len(ids) > 1:
        return f"person:{person['person_id']}"
    return next(f"{name}:{raw}" for name, raw in ids.items())


def _world(events: int, days: int, seed: int, density: float) -> World:
    """A world whose people come `density` times as often."""

    def fewer(rng: np.random.Generator, number: int, days: int) -> People:
        return plant_people(rng, max(20, round(number / density)), days)

    sample_world.plant_people = fewer
    try:
        return plant_world(events, Clock(days, LAST_DAY), seed)
    finally:
        sample_world.plant_people = plant_people
