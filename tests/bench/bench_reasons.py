"""Are reason codes true? Deletion: named events are taken out of the log, and users scored again.

    TIDEMARK_HOME=… python -m tests.bench reasons --ds 2011-11-09 [--users 512]

Needs a champion, and `user_history`, `item_embeddings` and `items` of the day. Prints the mean
change of the log-odds, with 95% bootstrap intervals over users: without what is named, and without
as many of the same user's other events or features, drawn at random. Then CPU ms per user.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch

from pipeline.runtime.settings import load_settings
from pipeline.storage.reading import open_day
from pipeline.tables.registry import USER_HISTORY
from tests.bench.head_deletions import head_deletions
from tests.bench.list_deletions import PLACES, Lists, list_deletions
from training.data.arrow import day_number
from training.data.catalogue import load_catalogue
from training.evaluation.intervals import interval
from training.model.lists import LISTS
from training.model.model import load
from training.model.predictor import Predictor
from training.registry.versions import load as model_folder
from training.registry.versions import version
from training.scoring.bucket import Bucket, batches, everyone
from training.scoring.feature_rows import embedding_drift
from training.scoring.reasons.columns import because, propensity_reasons


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ds", required=True)
    parser.add_argument("--users", type=int, default=512)
    given = parser.parse_args()
    torch.set_num_threads(1)
    predictor, history = opened(given.ds)
    users = next(batches(history, Bucket(0, 1), given.users))
    asked = Lists.of(predictor, users, day_number(given.ds))
    for name in LISTS:
        for kind, entries in list_deletions(asked, name).items():
            report(f"{name} (places {PLACES}), {kind}", entries)
    for head, found in head_deletions(asked).items():
        for kind, entries in found.items():
            report(f"{head}, {kind}", entries)
    costs(asked)


def opened(ds: str) -> tuple[Predictor, object]:
    settings = load_settings()
    champion = version(settings)
    assert champion is not None, "train and promote a model first"
    catalogue, _ = load_catalogue(settings, ds)
    _, history = open_day(settings, USER_HISTORY, ds)
    trained = load(model_folder(settings, champion))
    engaged = everyone([history], ds, catalogue)
    return Predictor.of(trained, catalogue, engaged), history


def report(what: str, moved: dict[str, np.ndarray]) -> None:
    """`moved`: [users] mean change each, NaN where there was nothing to take away."""
    known = ~np.isnan(moved["named"])
    line = [f"{what}: {known.sum()} users"]
    for name, values in moved.items():
        mean, low, high = interval(values[known])
        line.append(f"{name} {mean:.3f} [{low:.3f}, {high:.3f}]")
    wins = (moved["named"] > moved["random"])[known].mean()
    print("; ".join([*line, f"named moves more for {wins:.1%}"]), flush=True)


def costs(asked: Lists) -> None:
    """CPU of the parts of scoring, per user."""
    predictor, states, users = asked.predictor, asked.states, asked.users
    rows = np.arange(len(states))
    timed(
        "plain: lists",
        len(rows),
        lambda: [predictor.listed(predictor.asked(states, rows, users), name, 50) for name in LISTS],
    )
    timed("plain: vectors", len(rows), lambda: predictor.users(states, rows))
    timed("plain: chances", len(rows), lambda: predictor.chances(states))
    lists = {name: predictor.listed(asked.asked, name, 50) for name in LISTS}
    timed("reasons of lists", len(rows), lambda: [because(predictor, asked.asked, lists[name], name) for name in LISTS])
    timed("reasons of chances", len(rows), lambda: propensity_reasons(predictor, asked.history, states, users))
    day = str(np.datetime64(int(states.as_of[0]), "D"))
    timed("drift of vectors", len(rows), lambda: embedding_drift(asked.history, day, predictor, users))


def timed(what: str, users: int, work: Callable[[], object]) -> None:
    began = time.process_time()
    work()
    print(f"{what}: {1000 * (time.process_time() - began) / users:.2f} CPU ms per user", flush=True)


if __name__ == "__main__":
    main()
