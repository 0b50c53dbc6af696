"""The learned ranking on Amazon Beauty, leave one out: foretell each user's last item.

    TIDEMARK_TEST_DATA=… TIDEMARK_HOME=… python tests/bench/bench_leave_one_out.py

The same blend, features and settings as on every other data set; it is fitted on the items before
the last. The whole catalogue is ranked, less the user's own items. Ties of time are broken by the
order of the file; users whose last two items share a day are reported apart. The text vectors are
kept in the home.
"""

import os
import time
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.settings import load_settings
from pipeline.tables import EVENT_TYPES
from training.metrics import ndcg, recall
from training.rankers.engagements import Engagements, engagements
from training.rankers.market import Market, Sizes, market
from training.rankers.ranker import NEW_ONLY, Finished, Moment, fit_ranker
from training.sequences import Sequences
from training.text_encoder import TextEncoder

DATA = Path(os.environ.get("TIDEMARK_TEST_DATA", "../shared/data")) / "amazon_beauty"
K, BATCH, FITTED, SEED = 10, 1024, 8192, 7
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


def text_vectors() -> np.ndarray:
    """[items, width] unit vectors of the titles, from the file of an earlier run where it is."""
    settings = load_settings()
    kept = settings.home / "bench" / "amazon_beauty_text.npy"
    if not kept.exists():
        titles = pl.read_parquet(DATA / "titles.parquet").sort("ItemID")["Title"].fill_null("")
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.save(kept, TextEncoder(settings.text_encoder).encode(titles.to_list()))
    return np.load(kept)


def load() -> tuple[pl.DataFrame, int, int]:
    """Users and items numbered from 0, in order of time; `back` counts from the user's last."""
    log = pl.read_parquet(DATA / "interactions.parquet").with_row_index("line")
    items = pl.read_parquet(DATA / "titles.parquet").sort("ItemID")["ItemID"]
    log = log.with_columns(
        pl.col("user").rank("dense").cast(pl.Int64) - 1,
        pl.col("item").replace_strict(items, pl.int_range(len(items), eager=True)),
    ).sort("user", "ts", "line")
    back = pl.len().over("user") - 1 - pl.int_range(pl.len()).over("user")
    return log.with_columns(back=back), log["user"].n_unique(), len(items)


def known_before(log: pl.DataFrame, back: int, users: int, items: int) -> Engagements:
    """All users without their last `back` items, as of the newest day of the log."""
    as_of = int(log["ts"].max()) // 86_400  # type: ignore[arg-type]
    past = history(log.filter(pl.col("back") >= back), users)
    return engagements(past, np.arange(users), as_of, items)


def finished(known: Engagements, place: Market, rows: np.ndarray, target: np.ndarray) -> Finished:
    everything = np.ones(known.items, dtype=bool)
    moment = Moment.of(known.within(rows, everything), place, everything)
    return Finished(moment, moment.found.item == target[rows][moment.found.row])


def main() -> None:
    log, users, items = load()
    text, everything = text_vectors(), np.ones(items, dtype=bool)
    started = time.perf_counter()
    last, before = (log.filter(pl.col("back") == k)["item"].to_numpy() for k in (0, 1))
    earlier = known_before(log, 2, users, items)
    chosen = np.sort(np.random.default_rng(SEED).permutation(users)[:FITTED])
    place = market(earlier, everything, text, Sizes())
    window = finished(earlier, place, chosen, before)
    ranker = fit_ranker([window], True, NEW_ONLY, SEED)
    assert ranker is not None
    print(f"fitted in {time.perf_counter() - started:.0f} s", flush=True)
    known = known_before(log, 1, users, items)
    place, hits, inside = market(known, everything, text, Sizes()), [], 0
    for start in range(0, users, BATCH):
        rows = np.arange(start, min(start + BATCH, users))
        one = finished(known, place, rows, last)
        found, scores = one.moment.found, ranker.scores(one.moment)
        order = np.lexsort((found.item, -scores, found.row))
        row = found.row[order]
        at = np.arange(len(row)) - np.searchsorted(row, np.arange(len(rows)))[row]
        listed = np.zeros((len(rows), K), dtype=bool)
        listed[row[at < K], at[at < K]] = one.hit[order][at < K]
        hits.append(listed)
        inside += int(one.hit.sum())
    all_hits, one_each = np.concatenate(hits), np.ones(users, dtype=int)
    days = [log.filter(pl.col("back") == k)["ts"].to_numpy() for k in (0, 1)]
    for label, kept in (("all users", days[0] > -1), ("last two days differ", days[0] != days[1])):
        rate, gain = (metric(all_hits[kept], one_each[kept], K).mean() for metric in (recall, ndcg))
        print(f"{label}: {kept.sum()} users, HR@10 {rate:.4f}, NDCG@10 {gain:.4f}")
    print(f"in candidates {inside / users:.3f}, {time.perf_counter() - started:.0f} s in all")


if __name__ == "__main__":
    main()
