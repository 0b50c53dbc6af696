"""Topics of platforms without a word of text: do later pairs of items keep to one topic?

    TIDEMARK_TEST_DATA=... python -m tests.bench silent_topics [--data retail_rocket]

Topics come from the first four fifths of the events; of the rest,
prints how often two items that a user turns to one after the other share a topic, and how often
they would by chance. Items that nothing is known of are left out.
"""

import argparse

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.dataset as arrow_dataset

from pipeline.tables.registry import USER_HISTORY
from tests.real_data import real_data
from training.topics.clusters import assign, fit
from training.topics.co_engagement import co_engagement
from training.topics.day_items import HALF, item_vectors
from training.topics.placing import APART, FIRST_WORTH, wanted_topics

KINDS = {"buy": "purchase", "fav": "favorite"}
TRAINED = 0.8


def history(events: pl.DataFrame) -> arrow_dataset.Dataset:
    """`user_id` and `events` of every user, oldest first."""
    listed = events.select(
        "user",
        item_id="item_id",
        event_type=pl.col("event").replace(KINDS),
        event_time=pl.from_epoch("ts").cast(pl.Datetime("us", "UTC")),
        arrival_ds="ds",
        quantity=pl.lit(1.0),
        price=pl.lit(None, pl.Float64),
        text=pl.lit(None, pl.String),
    )
    names = [name for name in listed.columns if name != "user"]
    users = listed.group_by("user", maintain_order=True).agg(events=pl.struct(names))
    ids = pa.array([f"{n:032x}" for n in range(len(users))])
    kind = USER_HISTORY.column("events").type
    return arrow_dataset.dataset(pa.table({"user_id": ids, "events": users["events"].to_arrow().cast(kind)}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=("retail_rocket", "tmall"), default="retail_rocket")
    file = real_data(parser.parse_args().data) / "events.parquet"
    events = pl.read_parquet(file).sort("user", "ts", maintain_order=True)
    events = events.with_columns(
        item_id="shop:" + pl.col("item").cast(pl.String),
        ds=pl.from_epoch("ts").dt.strftime("%Y-%m-%d"),
    )
    days = events["ds"].sort()
    first = events.filter(pl.col("ds") <= days[int(TRAINED * len(days))])
    later = events.filter(pl.col("ds") > days[int(TRAINED * len(days))])
    ids = events["item_id"].unique().sort()
    weights = co_engagement(history(first), days[-1], ids.to_arrow().cast(pa.string()))
    vectors = item_vectors(np.zeros((len(ids), 1), HALF), weights).astype(np.float32)
    label, _ = assign(vectors, fit(vectors, wanted_topics(len(ids), 0), FIRST_WORTH, apart=APART))
    known = vectors[:, -1] == 0
    place = np.searchsorted(ids.to_numpy(), later["item_id"].to_numpy())
    place, user = place[known[place]], later["user"].to_numpy()[known[place]]
    pair = (user[1:] == user[:-1]) & (place[1:] != place[:-1])
    same = (label[place[1:]] == label[place[:-1]])[pair].mean()
    chance = ((np.bincount(label[place]) / len(place)) ** 2).sum()
    print(
        f"{len(ids)} items, {known.mean():.3f} known, {len(np.unique(label))} topics; of "
        f"{pair.sum()} later pairs {same:.3f} share a topic, by chance {chance:.3f}"
    )


if __name__ == "__main__":
    main()
