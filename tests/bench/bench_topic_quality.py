"""How well topics meet the planted ones of the sample, and how stable they are.

    TIDEMARK_HOME=… python -m tests.bench topic_quality --ds 2026-03-31 [--later D]

Prints purity, normalised mutual information and adjusted Rand index against
`landing/_truth/items.parquet`, by what the vectors are made of and the number of topics; the home
must hold `items`, `item_embeddings` and `user_history` of the sample. With `--later`, of any home,
prints the share of items whose topic a refresh on that day changes, and what starting over would
change. Publishes nothing.
"""

import argparse

import numpy as np
import polars as pl
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from pipeline.runtime.settings import load_settings
from pipeline.storage.reading import open_day
from pipeline.tables.registry import ITEM_EMBEDDINGS, ITEMS, USER_HISTORY
from training.texts.encoders import open_encoder
from training.topics.clusters import assign, fit
from training.topics.co_engagement import co_engagement
from training.topics.day_items import HALF, DayItems, item_vectors, read_items
from training.topics.lineage import Earlier, earlier
from training.topics.placing import FIRST_WORTH, place_items
from training.topics.topic_rows import both_tables

NUMBERS = (16, 24, 25, 32, 48)
NEVER = 1e9  # no split or merge is worth it: k-means alone


def day(ds: str) -> tuple[DayItems, object]:
    settings = load_settings()
    embeddings, items, history = (open_day(settings, table, ds)[1] for table in (ITEM_EMBEDDINGS, ITEMS, USER_HISTORY))
    found = read_items(embeddings, items)
    return found, co_engagement(history, ds, found.ids)


def planted(items: DayItems) -> np.ndarray:
    truth = pl.read_parquet(load_settings().landing / "_truth" / "items.parquet")
    ids = truth["platform"] + ":" + truth["raw_id"].cast(pl.String)
    topic = dict(zip(ids, truth["topic"], strict=True))
    return np.unique([topic[item] for item in items.ids.to_pylist()], return_inverse=True)[1]


def purity(truth: np.ndarray, labels: np.ndarray) -> float:
    counts = np.zeros((labels.max() + 1, truth.max() + 1))
    np.add.at(counts, (labels, truth), 1)
    return float(counts.max(axis=1).sum() / len(truth))


def quality(ds: str) -> None:
    items, weights = day(ds)
    truth, none = planted(items), weights * 0
    titles = open_encoder(load_settings()).encode([title or "" for title in items.facts["title"].to_pylist()])
    texts = {"title": titles.astype(HALF), "title, category, brand": items.text}
    worlds = {f"{name} alone": item_vectors(text, none) for name, text in texts.items()}
    worlds["behaviour alone"] = item_vectors(np.zeros_like(items.text), weights)
    worlds |= {f"{name} + behaviour": item_vectors(text, weights) for name, text in texts.items()}
    print("vectors; topics; purity, NMI, ARI of k-means; the same with splits and merges")
    for name, vectors in worlds.items():
        rows = vectors.astype(np.float32)
        for number in NUMBERS:
            figures = []
            for worth in (NEVER, FIRST_WORTH):
                labels, _ = assign(rows, fit(rows, number, worth))
                figures += [
                    purity(truth, labels),
                    normalized_mutual_info_score(truth, labels),
                    adjusted_rand_score(truth, labels),
                ]
            print(f"{name}; {number};", " ".join(f"{figure:.3f}" for figure in figures), flush=True)


def stability(ds: str, later: str) -> None:
    items, weights = day(ds)
    vectors = item_vectors(items.text, weights)
    none = Earlier.none(items)
    topics, placed = both_tables(items, vectors, none, place_items(items, vectors, none, ds, 0), ds)
    items, weights = day(later)
    vectors = item_vectors(items.text, weights)
    past = earlier(ds, topics.sort_by("topic_id").to_pylist(), placed, items)
    known = past.label >= 0
    found = place_items(items, vectors, past, later, 0)
    fresh = place_items(items, vectors, Earlier.none(items), later, 0)
    for name, place in ((found.reason or "assigned", found), ("starting over", fresh)):
        shared = np.zeros((len(past.living), place.number))
        np.add.at(shared, (past.label[known], place.label[known]), 1)
        moved = 1 - shared.max(axis=0).sum() / known.sum()
        index = adjusted_rand_score(past.label[known], place.label[known])
        print(f"{ds} -> {later}, {name}: {place.number} topics, moved {moved:.3f}, ARI {index:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ds", required=True)
    parser.add_argument("--later")
    given = parser.parse_args()
    if given.later:
        stability(given.ds, given.later)
    else:
        quality(given.ds)


if __name__ == "__main__":
    main()
