"""Rows of `topics` and `item_topics`: what a night's clusters are called, and what they were before."""

import hashlib
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.tables.interests import ITEM_TOPICS, TOPICS
from training.topics import clusters
from training.topics.day_items import DayItems
from training.topics.lineage import Earlier
from training.topics.names import IN_NAME, commonest, name_topics, telling_words
from training.topics.placing import Placed

BORN_A_DAY = 1_000_000  # numbers of a day; a few hundred are used


def both_tables(
    items: DayItems, vectors: np.ndarray, past: Earlier, placed: Placed, ds: str
) -> tuple[pa.Table, pa.Table]:
    """`topics` in order of id, `item_topics` in order of item."""
    centroids = clusters.means(vectors, placed.label, placed.number)
    origins = [_origin(place, past, placed) for place in range(placed.number)]
    _, first = np.unique(placed.label, return_index=True)  # items are in order of id
    numbers = _numbers(origins, pc.take(items.ids, pa.array(first)).to_pylist(), ds)
    ids = [f"t{number:04d}" for number in numbers]
    living = list(_living(items, past, placed, ids, origins, ds))
    for row, centroid in zip(living, centroids, strict=True):
        row["centroid"] = centroid
    rows = sorted([*living, *_ended(past, placed, ids, ds)], key=lambda row: row["topic_id"])
    cosine = clusters.own_cosine(vectors, centroids, placed.label)
    item_topics = pa.table(
        {
            "ds": pa.array([ds] * len(items), pa.string()),
            "item_id": items.ids,
            "topic_id": pc.take(pa.array(ids, pa.string()), pa.array(placed.label)),
            "similarity": cosine,
        },
        schema=ITEM_TOPICS.schema,
    )
    return pa.Table.from_pylist(rows, schema=TOPICS.schema), item_topics


def _origin(place: int, past: Earlier, placed: Placed) -> dict | None:
    """The earlier row of a cluster that continues an earlier topic."""
    old = placed.lineage.kept.get(place)
    return None if old is None else past.living[old]


def _numbers(origins: list[dict | None], first_items: list[str], ds: str) -> list[int]:
    """The number of each topic: its earlier number, or that of a topic born on `ds`, from the day and its first item.

    Counting on from the ids given before would give a day that is filled in later the ids of the days after it. So a
    number begins with the day, and the rest does not depend on what other days hold.
    """
    given: dict[int, int] = {}
    for place in sorted(range(len(origins)), key=first_items.__getitem__):
        origin = origins[place]
        if origin:
            given[place] = int(origin["topic_id"][1:])
            continue
        rest = int(hashlib.sha256(first_items[place].encode()).hexdigest(), 16) % BORN_A_DAY
        while (number := int(ds.replace("-", "")) * BORN_A_DAY + rest) in given.values():
            rest = (rest + 1) % BORN_A_DAY
        given[place] = number
    return [given[place] for place in range(len(origins))]


def _living(
    items: DayItems,
    past: Earlier,
    placed: Placed,
    ids: list[str],
    origins: list[dict | None],
    ds: str,
) -> Iterator[dict]:
    label, number = placed.label, placed.number
    words = telling_words(items, label, number)
    categories = commonest(items, "category", label, number)
    brands = commonest(items, "brand", label, number)
    choices = [w or c[:1] or b[:1] for w, c, b in zip(words, categories, brands, strict=True)]
    kept = {
        place: origin["name"]
        for place, origin in enumerate(origins)
        if origin and _still_told(origin["words"], words[place])
    }
    names = name_topics(choices, list(range(1, number + 1)), kept)
    sizes = np.bincount(label, minlength=number)
    platforms = _platforms(items, label, number)
    for place, origin in enumerate(origins):
        parent = placed.lineage.split.get(place)
        yield {
            "ds": ds,
            "topic_id": ids[place],
            "name": names[place],
            "words": words[place],
            "categories": categories[place],
            "platforms": platforms[place],
            "items": int(sizes[place]),
            "born_ds": origin["born_ds"] if origin else ds,
            "split_from": origin["split_from"] if origin else _id_of(past, parent),
            "encoder": items.encoder,
        }


def _still_told(before: list[str], now: list[str]) -> bool:
    """Whether a name made of words of `before` still suits a topic with the words `now`."""
    return bool(set(before[:IN_NAME]) & set(now)) or before == now


def _id_of(past: Earlier, place: int | None) -> str | None:
    return None if place is None else past.living[place]["topic_id"]


def _platforms(items: DayItems, label: np.ndarray, number: int) -> list[list[str]]:
    found: list[set[str]] = [set() for _ in range(number)]
    encoded = items.platform.dictionary_encode()
    names = encoded.dictionary.to_pylist()
    codes = label * max(len(names), 1) + encoded.indices.to_numpy()
    for code in np.unique(codes).tolist():
        found[code // len(names)].add(names[code % len(names)])
    return [sorted(some) for some in found]


def _ended(past: Earlier, placed: Placed, ids: list[str], ds: str) -> Iterator[dict]:
    """Rows of topics that ended earlier, as they were, and of those that end now."""
    yield from ({**row, "ds": ds} for row in past.rows if row["ended_ds"] is not None)
    kept = set(placed.lineage.kept.values())
    for place, row in enumerate(past.living):
        if place not in kept:
            into = placed.lineage.merged.get(place)
            yield {
                **row,
                "ds": ds,
                "items": 0,
                "ended_ds": ds,
                "ended_how": "died" if into is None else "merged",
                "merged_into": None if into is None else ids[into],
            }
