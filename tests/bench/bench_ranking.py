"""The learned ranking on four cuts of Online Retail, each judged on the 30 days after it.

    TIDEMARK_HOME=… python tests/bench/bench_ranking.py [--cuts 2011-10-10 …]

The home must hold `events`, `items` and `item_embeddings` of `online_retail` through 2011-11-09. A
cut's blend is fitted on the windows that end at or before it, 30 to 120 days earlier.
"""

import argparse
import time
from functools import cache

import numpy as np
import polars as pl

from pipeline.days import shift
from pipeline.reading import scan
from pipeline.settings import load_settings
from spark_jobs.transforms.history import as_known, daily_counts, listed_events, with_list
from spark_jobs.transforms.make_examples import first_events
from training.arrow_columns import day_number
from training.catalogue import Catalogue
from training.metrics import ndcg, recall
from training.rankers.engagements import engagements
from training.rankers.market import market
from training.rankers.ranker import NEW_ONLY, REPEATS, Moment, Ranker, fit_ranker
from training.sequences import sequences
from training.states import user_states
from training.training_data import load_catalogue

CUTS = ("2011-10-10", "2011-09-10", "2011-08-11", "2011-07-12")
TUNING = ("2011-06-12", "2011-05-13")  # their windows end before those of CUTS begin
LAST, STEP, WINDOWS, FIRST_CUT = "2011-11-09", 30, 4, "2011-03-14"
CORE, USERS = 4096, 4000


@cache
def events() -> tuple[pl.DataFrame, pl.DataFrame]:
    frame = pl.from_arrow(scan("events").to_arrow())
    assert isinstance(frame, pl.DataFrame)
    frame = frame.with_columns(text=pl.lit(None, pl.String))
    return listed_events(frame), daily_counts(frame)


@cache
def catalogue() -> Catalogue:
    return load_catalogue(load_settings(), LAST)[0]


@cache
def moment(cut: str) -> tuple[Moment, np.ndarray]:
    """The candidates of the users with a purchase after the cut, and [users, items] relevance."""
    listed, counts = events()
    users = as_known(listed, counts, cut, 365, 1024)
    after = listed.filter(
        pl.col("arrival_ds").is_between(pl.lit(cut), pl.lit(shift(cut, STEP)), closed="right")
    )
    table = with_list(users, first_events(after, 100_000), "future").to_arrow()
    items, as_of = catalogue(), day_number(cut)
    states = user_states(table, np.full(table.num_rows, as_of), items)
    future = sequences(table["future"], items)
    everyone = engagements(states.past, np.arange(len(states)), as_of, len(items))
    known = items.first_day <= as_of
    here = market(everyone, known, items.text, CORE)
    rows = np.unique(future.rows[future.engaged & (future.kind == 5)])
    place, event = future.events_of(rows)
    kept = future.engaged[event]
    relevant = np.zeros((len(rows), len(items)), dtype=bool)
    relevant[place[kept], future.item[event][kept]] = True
    mine = engagements(states.past, rows, as_of, len(items))
    allowed = np.broadcast_to(known, relevant.shape)
    return Moment.of(mine, here, allowed, relevant), relevant


def earlier(cut: str) -> list[str]:
    return [d for k in range(1, WINDOWS + 1) if (d := shift(cut, -STEP * k)) >= FIRST_CUT]


def judged(one: Moment, relevant: np.ndarray, scores: np.ndarray, new_only: bool) -> np.ndarray:
    """Mean Recall@10 and NDCG@10."""
    found, k = one.found, 10
    order = np.lexsort((found.item, -scores, found.row))
    order = order[np.isfinite(scores[order])]
    row = found.row[order]
    starts = np.searchsorted(row, np.arange(len(relevant)))
    place = np.arange(len(row)) - starts[row]
    hits = np.zeros((len(relevant), k), dtype=bool)
    first = place < k
    hits[row[first], place[first]] = one.hit[order][first]
    number = relevant.sum(axis=1)
    if new_only:
        own = found.seen & one.hit
        number = number - np.bincount(found.row[own], minlength=len(number))
    return np.array([np.nanmean(recall(hits, number, k)), np.nanmean(ndcg(hits, number, k))])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cuts", nargs="+", default=CUTS)
    cuts = parser.parse_args().cuts
    for new_only, effort in ((False, REPEATS), (True, NEW_ONLY)):
        figures = []
        for cut in cuts:
            windows = [moment(day)[0] for day in earlier(cut)]
            started = time.perf_counter()
            ranker = fit_ranker(windows, new_only, effort, 7)
            one, relevant = moment(cut)
            linear = Ranker(ranker.first, ranker.first, 10_000, new_only)
            pair = [
                judged(one, relevant, r.scores(one.found, one.x), new_only)
                for r in (linear, ranker)
            ]
            figures.append(pair)
            inside = one.hit.sum() / relevant.sum()
            print(
                "new" if new_only else "repeats",
                cut,
                len(relevant),
                f"in candidates {inside:.3f}",
                np.round(pair, 4).tolist(),
                f"{time.perf_counter() - started:.0f} s",
                flush=True,
            )
        print("mean (linear, blend)", np.mean(figures, axis=0).round(4).tolist(), flush=True)


if __name__ == "__main__":
    main()
