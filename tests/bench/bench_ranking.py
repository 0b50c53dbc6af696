"""The learned ranking on four cuts of Online Retail, each judged on the 30 days after it.

    TIDEMARK_HOME=… python -m tests.bench ranking [--cuts 2011-10-10 …]

The home must hold `events`, `items` and `item_embeddings` of `online_retail` through 2011-11-09. A
cut's blend is fitted on the windows that end at or before it, 30 to 120 days earlier.
"""

import argparse
import time
from functools import cache

import numpy as np
import polars as pl

from pipeline.runtime.days import shift
from pipeline.runtime.settings import load_settings
from pipeline.storage.reading import scan
from spark_jobs.states.examples import first_events
from spark_jobs.states.history import as_known, daily_counts, listed_events, with_list
from training.data.arrow import day_number
from training.data.catalogue import Catalogue, load_catalogue
from training.data.sequences import sequences
from training.data.users import user_states
from training.evaluation.metrics import ndcg, recall
from training.ranking.engagements import engagements
from training.ranking.market import Sizes
from training.ranking.moments import markets, parts
from training.ranking.order import NEW_ONLY, REPEATS, Finished, ListOrder, fit_ranker

CUTS = ("2011-10-10", "2011-09-10", "2011-08-11", "2011-07-12")
# For tuning: --cuts 2011-06-12 2011-05-13, whose windows end before those of CUTS begin.
LAST, STEP, WINDOWS, FIRST_CUT = "2011-11-09", 30, 4, "2011-03-14"
K, SEED = 10, 7


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
def finished(cut: str) -> tuple[Finished, np.ndarray]:
    """The candidates of the users who buy in the window after the cut, and how much each buys."""
    listed, counts = events()
    users = as_known(listed, counts, cut, 365, load_settings().history_events)
    window = pl.col("arrival_ds").is_between(pl.lit(cut), pl.lit(shift(cut, STEP)), closed="right")
    future = first_events(listed.filter(window), 100_000)
    table = with_list(users, future, "future").to_arrow()
    items, as_of = catalogue(), day_number(cut)
    states = user_states(table, np.full(table.num_rows, as_of), items)
    after = sequences(table["future"], items)
    rows = np.unique(after.rows[after.engaged])
    everyone = engagements(states.past, np.arange(len(states)), as_of, len(items))
    (part,) = parts(states, rows, items, markets(everyone, items, Sizes()))
    place, event = after.events_of(rows)
    kept = after.engaged[event]
    bought = np.unique(place[kept].astype(np.int64) * len(items) + after.item[event][kept])
    found = part.moment.found
    hit = np.isin(part.rows[found.row] * len(items) + found.item, bought)
    return Finished(part.moment, hit), np.bincount(bought // len(items), minlength=len(rows))


def earlier(cut: str) -> list[str]:
    return [d for k in range(1, WINDOWS + 1) if (d := shift(cut, -STEP * k)) >= FIRST_CUT]


def judged(one: Finished, bought: np.ndarray, ranker: ListOrder) -> list[float]:
    """Mean Recall@10 and NDCG@10; for new items, what the users had before does not count."""
    found, scores = one.moment.found, ranker.scores(one.moment)
    order = np.lexsort((found.item, -scores, found.row))
    order = order[np.isfinite(scores[order])]
    row = found.row[order]
    place = np.arange(len(row)) - np.searchsorted(row, np.arange(len(bought)))[row]
    first = place < K
    hits = np.zeros((len(bought), K), dtype=bool)
    hits[row[first], place[first]] = one.hit[order][first]
    if ranker.new_only:
        again = one.hit & one.moment.touched
        bought = bought - np.bincount(found.row[again], minlength=len(bought))
    return [float(np.nanmean(metric(hits, bought, K))) for metric in (recall, ndcg)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cuts", nargs="+", default=CUTS)
    cuts = parser.parse_args().cuts
    print("list, cut, users, share in candidates, [[linear: recall, ndcg], [blend: ...]]")
    for new_only, effort in ((False, REPEATS), (True, NEW_ONLY)):
        figures = []
        for cut in cuts:
            one, bought = finished(cut)
            started = time.perf_counter()
            windows = [finished(day)[0] for day in earlier(cut)]
            ranker = fit_ranker(windows, new_only, effort, SEED)
            assert ranker is not None
            linear = ListOrder(ranker.first, ranker.first, len(catalogue()), new_only)
            figures.append([judged(one, bought, r) for r in (linear, ranker)])
            print(
                "new" if new_only else "repeats",
                cut,
                len(bought),
                f"{one.hit.sum() / bought.sum():.3f}",
                np.round(figures[-1], 4).tolist(),
                f"{time.perf_counter() - started:.0f} s",
                flush=True,
            )
        print("mean", np.mean(figures, axis=0).round(4).tolist(), flush=True)


if __name__ == "__main__":
    main()
