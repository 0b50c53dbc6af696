"""The learned ranking, leave one out: predict the last item that each user came to.

    TIDEMARK_TEST_DATA=… TIDEMARK_HOME=… python -m tests.bench leave_one_out --data tmall

Next to it, fitted on the same histories: popularity, item kNN, EASE, Markov, ALS. The blend has the
features and settings of every other data set; it is fitted on the items before the last. The whole
catalogue is ranked, less the user's own items. Ties of time are broken by the order of the file;
users whose last two items fall on different days are reported apart. Text vectors are kept in the
home. Where a data set is missing, the bench says where to get it.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import polars as pl

from pipeline.runtime.settings import load_settings
from pipeline.tables.registry import EVENT_TYPES
from tests.real_data import real_data
from training.data.sequences import Sequences
from training.evaluation.baselines import als, markov
from training.evaluation.baselines.counts import Popular
from training.evaluation.baselines.known import Contestant as Baseline
from training.evaluation.baselines.known import Known
from training.evaluation.baselines.neighbours import item_knn, plain_ease
from training.evaluation.metrics import ndcg, recall
from training.model.lists import NEVER, top
from training.ranking.engagements import Engagements, engagements
from training.ranking.market import Market, Sizes, market
from training.ranking.order import NEW_ONLY, Finished, Moment, fit_ranker
from training.texts.language_model import TextEncoder

SETS = {
    "amazon_beauty": "interactions.parquet",
    "retail_rocket": "events.parquet",
    "tmall": "events.parquet",
}
LEAST = 3  # items of a user: one to predict, one to fit on, one to know
K, BATCH, FITTED, SEED = 10, 1024, 8192, 7
BASELINES: dict[str, Callable[[Known], Baseline]] = {
    "popularity, 30 days": lambda known: Popular.fit(known, 30),
    "item kNN": item_knn,
    "EASE": plain_ease,
    "Markov": markov.fit,
    "ALS": als.fit,
}
PURCHASE = EVENT_TYPES.index("purchase")


def history(log: pl.DataFrame, users: int) -> Sequences:
    """The users' events in the order of the file within a day."""
    row, size = log["user"].to_numpy(), len(log)
    offsets = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=users))])
    day, zeros = (log["ts"].to_numpy() // 86_400).astype(np.int32), np.zeros(size, dtype=np.int8)
    unknown = np.full(size, np.nan, dtype=np.float32)
    kind = np.full(size, PURCHASE, dtype=np.int8)
    item = log["item"].to_numpy().astype(np.int32)
    return Sequences(offsets, item, kind, zeros, zeros, day, day, unknown, unknown)


def text_vectors(name: str, items: int) -> np.ndarray:
    """[items, width] unit vectors of the titles, kept in the home; zeros where there are none."""
    titles, settings = real_data(name) / "titles.parquet", load_settings()
    if not titles.exists():
        return np.zeros((items, 1), dtype=np.float32)
    kept = settings.home / "bench" / f"{name}_text.npy"
    if not kept.exists():
        texts = pl.read_parquet(titles).sort("ItemID")["Title"].fill_null("").to_list()
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.save(kept, TextEncoder(settings.text_encoder).encode(texts))
    return np.load(kept)


def load(name: str) -> tuple[pl.DataFrame, int, int]:
    """First touches, in order of time; users and items numbered; `back` counts from the last."""
    log = pl.read_parquet(real_data(name) / SETS[name]).with_row_index("line").sort("ts", "line")
    log = log.unique(["user", "item"], keep="first", maintain_order=True)
    log = log.filter(pl.len().over("user") >= LEAST)
    log = log.with_columns(pl.col("user", "item").rank("dense").cast(pl.Int64) - 1)
    log = log.sort("user", "ts", "line")
    back = pl.len().over("user") - 1 - pl.int_range(pl.len()).over("user")
    return log.with_columns(back=back), log["user"].n_unique(), log["item"].n_unique()


def known_before(log: pl.DataFrame, back: int, users: int, items: int) -> Engagements:
    """All users without their last `back` items, as of the newest day of the log."""
    as_of = int(log["ts"].max()) // 86_400  # type: ignore[arg-type]
    past = history(log.filter(pl.col("back") >= back), users)
    return engagements(past, np.arange(users), as_of, items)


def finished(known: Engagements, place: Market, rows: np.ndarray, target: np.ndarray) -> Finished:
    everything = np.ones(known.items, dtype=bool)
    moment = Moment.of(known.within(rows, everything), place, everything)
    return Finished(moment, moment.found.item == target[rows][moment.found.row])


def listed(one: Finished, scores: np.ndarray, users: int) -> np.ndarray:
    """[users, K] whether the answer is at each place."""
    found = one.moment.found
    order = np.lexsort((found.item, -scores, found.row))
    row = found.row[order]
    at = np.arange(len(row)) - np.searchsorted(row, np.arange(users))[row]
    hits = np.zeros((users, K), dtype=bool)
    hits[row[at < K], at[at < K]] = one.hit[order][at < K]
    return hits


def baseline_hits(ranker: Baseline, rows: np.ndarray, own: np.ndarray, last: np.ndarray) -> np.ndarray:
    places, _ = top(np.where(own, NEVER, ranker.scores(rows)), K)
    return places == last[rows][:, None]


def show(label: str, hits: np.ndarray, untied: np.ndarray) -> None:
    one_each = np.ones(len(hits), dtype=int)
    rate, gain = (metric(hits, one_each, K) for metric in (recall, ndcg))
    print(
        f"{label:20} HR@10 {rate.mean():.4f}  NDCG@10 {gain.mean():.4f}   untied: "
        f"{rate[untied].mean():.4f} {gain[untied].mean():.4f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=SETS, default="amazon_beauty")
    name = parser.parse_args().data
    log, users, items = load(name)
    text, everything = text_vectors(name, items), np.ones(items, dtype=bool)
    started = time.perf_counter()
    last, before = (log.filter(pl.col("back") == k)["item"].to_numpy() for k in (0, 1))
    days = [log.filter(pl.col("back") == k)["ts"].to_numpy() // 86_400 for k in (0, 1)]
    untied = days[0] != days[1]
    print(f"{name}: {users} users ({untied.sum()} whose last two days differ), {items} items")
    earlier = known_before(log, 2, users, items)
    chosen = np.sort(np.random.default_rng(SEED).permutation(users)[:FITTED])
    place = market(earlier, everything, text, Sizes())
    ranker = fit_ranker([finished(earlier, place, chosen, before)], True, NEW_ONLY, SEED)
    assert ranker is not None
    engaged = known_before(log, 1, users, items)
    place, inside = market(engaged, everything, text, Sizes()), 0
    known = Known(history(log.filter(pl.col("back") >= 1), users), engaged)
    baselines = {label: fit(known) for label, fit in BASELINES.items()}
    hits: dict[str, list[np.ndarray]] = {}
    for start in range(0, users, BATCH):
        rows = np.arange(start, min(start + BATCH, users))
        one = finished(engaged, place, rows, last)
        hits.setdefault("learned blend", []).append(listed(one, ranker.scores(one.moment), len(rows)))
        inside += int(one.hit.sum())
        own = engaged.matrix()[rows].toarray() > 0
        for label, baseline in baselines.items():
            hits.setdefault(label, []).append(baseline_hits(baseline, rows, own, last))
    for label, parts in hits.items():
        show(label, np.concatenate(parts), untied)
    print(f"in candidates {inside / users:.3f}, {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
