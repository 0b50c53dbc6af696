"""What do hours of history, and learning by the hour, add after planted shifts?

    python -m tests.bench hourly_learning --seed 302                  (figures)
    python -m tests.bench hourly_learning --seed 303 --common 0.3     (a common shift)
    python -m tests.bench hourly_learning --seed 301 --tune           (choose the steps)

Generates a sample (`--events`, `--days`), trains a model as of `--day` on weeks before it, and goes
through the hours of the `--judged` days after it. Each user of an hour is asked once: recall@10 of
what they turn to in it, by

    frozen    history, market and model of the night before
    nightly   the same history, with the model trained on each night (warm start, replay 1/4)
    history   history and market at the start of the hour, the model of `--day`
    learning  the same, with what hourly learning lets serve in that hour

of the published list and of the transformer alone (with the trend of items, as in scoring), for all
users and for those whose shift began within a week before; paired 95% intervals over users.
`--common` moves that share of people to one topic on the first judged day: the generator plants no
shift that many share. The model, and all that does not depend on hours, is kept in `--work`.
"""

import argparse
import pickle
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import polars as pl

from tests.bench.hourly_line import (
    PRESET,
    SIZES,
    Line,
    Market,
    World,
    base_model,
    older_rows,
    trained_on,
)
from tests.bench.hourly_world import shop_of
from training.data.users import Examples, to_examples
from training.evaluation.intervals import interval
from training.hourly.predicted import K, Pairs, item_trend, quality
from training.hourly.update import Steps
from training.model.model import TrainedModel
from training.model.predictor import Predictor
from training.ranking.moments import markets

VARIANTS = ("frozen", "nightly", "history", "learning")
Made = TypeVar("Made")


def published_recall(predictor: Predictor, examples: Examples) -> np.ndarray:
    """[rows] recall of the first ten of the published list."""
    rows = np.arange(len(examples))
    users = predictor.users(examples, rows)
    found = predictor.listed(predictor.asked(examples, rows, users), "next_items", K)
    pairs, items = Pairs.of(examples, predictor.catalogue), len(predictor.catalogue)
    right = np.isin(found.rows * items + found.item, pairs.row * items + pairs.item)
    number = np.bincount(pairs.row, minlength=len(rows))
    hits = np.bincount(found.rows[right], minlength=len(rows))
    return np.where(number > 0, hits / np.maximum(number, 1), np.nan)


def judge(world: World, base: TrainedModel, given: argparse.Namespace) -> None:
    """Goes through the hours and prints the figures."""
    found: dict[str, list[np.ndarray]] = {}
    line = Line(base, Steps(), *older_rows(world, given.day))
    nightly, market = base, Market(world)
    for day in range(given.day + 1, given.day + 1 + given.judged):
        asked, catalogue = world.hours(day), world.catalogue(day)
        night = market.at(day * 24, day - 1)
        if day > given.day + 1:
            data = world.training(day - 1, replace(nightly))
            preset = PRESET.warm().on(nightly.card.preset)
            warm = trained_on(data, preset)
            nightly = replace(warm, fitted_rankers=base.fitted_rankers)
        places = markets(night, catalogue, SIZES)
        old_trend = item_trend(base, catalogue, night)
        new_trend = item_trend(nightly, catalogue, night)
        for (hour,), rows in asked.group_by("at", maintain_order=True):
            before = rows.with_columns(known=pl.lit(day * 24))
            stale = world.shop.examples(before.with_columns(until=pl.col("at")))
            fresh = world.shop.examples(rows)
            stale = stale.set_column(stale.column_names.index("future"), "future", fresh["future"])
            stale, now = (to_examples(table, catalogue) for table in (stale, fresh))
            everyone = market.at(hour, day)
            trend = item_trend(base, catalogue, everyone)
            here = markets(everyone, catalogue, SIZES) if given.lists else {}
            champion = quality(base, now, catalogue, trend)
            serving = line.serving
            answers = {
                "frozen": quality(base, stale, catalogue, old_trend),
                "nightly": quality(nightly, stale, catalogue, new_trend),
                "history": champion,
                "learning": line.hour(now, catalogue, trend, champion),
            }
            asks = {
                "frozen": (base, stale, places),
                "nightly": (nightly, stale, places),
                "history": (base, now, here),
                "learning": (serving, now, here),
            }
            columns = {"user": rows["user"].to_numpy(), "hour": np.full(len(rows), hour)}
            columns["shifted"] = world.shifted(columns["user"], day)
            for name, answer in answers.items():
                columns[f"{name}/model"], columns[f"{name}/loss"] = answer.recall, answer.loss
                if given.lists:
                    model, states, where = asks[name]
                    predictor = replace(Predictor.of(model, catalogue), markets=where)
                    columns[f"{name}/published"] = published_recall(predictor, states)
            for name, values in columns.items():
                found.setdefault(name, []).append(values)
        print(f"day {day}: {len(asked)} users of hours, {line.decisions[-24:]}", flush=True)
    report({name: np.concatenate(parts) for name, parts in found.items()})


def report(found: dict[str, np.ndarray]) -> None:
    """Means over users of hours, and what each variant gains over frozen and over `history`."""
    for who, rows in (("all users", found["shifted"] >= 0), ("shifted users", found["shifted"])):
        users = found["user"][rows]
        print(f"\n{who}: {len(np.unique(users))} users, {rows.sum()} users of hours")
        for metric in ("published", "model", "loss"):
            if f"frozen/{metric}" not in found:
                continue
            values = {name: found[f"{name}/{metric}"][rows] for name in VARIANTS}
            means = {name: by_user(users, x) for name, x in values.items()}
            for name in VARIANTS:
                line = f"  {metric:9} {name:8} {np.nanmean(means[name]):.4f}"
                for other in ("frozen", "history"):
                    if other != name:
                        line += f"  - {other} {interval_text(means[name] - means[other])}"
                print(line)


def by_user(users: np.ndarray, values: np.ndarray) -> np.ndarray:
    """[users] mean of each user's hours."""
    _, place = np.unique(users, return_inverse=True)
    known = ~np.isnan(values)
    number = np.bincount(place[known], minlength=place.max() + 1)
    total = np.bincount(place[known], values[known], minlength=place.max() + 1)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def interval_text(values: np.ndarray) -> str:
    middle, low, high = interval(values)
    return f"{middle:+.4f} [{low:+.4f}, {high:+.4f}]"


def tune(world: World, base: TrainedModel, given: argparse.Namespace) -> None:
    """Prints what each choice of steps gains over the champion with the same history."""
    market, hours, older = Market(world), [], older_rows(world, given.day)
    for day in range(given.day + 1, given.day + 1 + given.judged):
        catalogue = world.catalogue(day)
        trend = item_trend(base, catalogue, market.at(day * 24, day - 1))
        for _, rows in world.hours(day).group_by("at", maintain_order=True):
            now = world.examples(rows)
            hours.append((now, catalogue, trend, quality(base, now, catalogue, trend)))
    for plan in plans(given):
        line, began = Line(base, plan, *older), time.process_time()
        gains = [hour[-1].loss - line.hour(*hour).loss for hour in hours]
        offers = " ".join(f"{x:+.4f}" for x in np.mean(line.offered, axis=0))
        counts = {word: line.decisions.count(word) for word in sorted(set(line.decisions))}
        print(
            f"{'+'.join(plan.parts):10} steps {plan.steps} bias {plan.bias_rate:5.1f} rate "
            f"{plan.rate:.0e} replay {plan.replay:.2f}: "
            f"{interval_text(np.concatenate(gains))} nats, {counts}, offered {offers}, "
            f"{time.process_time() - began:.0f} CPU s",
            flush=True,
        )


def plans(given: argparse.Namespace) -> list[Steps]:
    """Choices of a kind of parts."""
    moved = tuple(given.parts.split("+"))
    if moved == ("bias",):
        return [Steps(moved, bias_rate=rate) for rate in given.rates or (1.0, 3.0, 10.0, 30.0)]
    return [Steps(moved, rate=rate) for rate in given.rates or (1e-4, 1e-3)]


def kept(path: Path, make: Callable[[], Made]) -> Made:
    """What `make` gives, read back when it was made before."""
    if path.exists():
        return pickle.loads(path.read_bytes())  # type: ignore[no-any-return]
    value = make()
    path.write_bytes(pickle.dumps(value))
    return value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=600_000)
    parser.add_argument("--days", type=int, default=40)
    parser.add_argument("--seed", type=int, default=302)
    parser.add_argument("--day", type=int, default=28, help="day of the base model, counted from 0")
    parser.add_argument("--judged", type=int, default=3, help="days after it")
    parser.add_argument("--users", type=int, default=6_000, help="whom the model learns from")
    parser.add_argument("--density", type=float, default=4.0, help="how often people come")
    parser.add_argument("--common", type=float, default=0.0)
    parser.add_argument("--no-lists", dest="lists", action="store_false", help="not the published")
    parser.add_argument("--tune", action="store_true")
    parser.add_argument("--parts", default="bias", help="with --tune, such as bias+user")
    parser.add_argument("--rates", type=float, nargs="*", help="with --tune")
    parser.add_argument("--work", type=Path, default=Path("/tmp/hourly-bench"))
    given = parser.parse_args()
    name = f"{given.events}-{given.days}-{given.seed}-{given.density}-{given.common}"
    work = given.work / name
    work.mkdir(parents=True, exist_ok=True)
    shop = kept(
        work / "shop",
        lambda: shop_of(given.events, given.days, given.seed, given.density, (given.common, given.day + 1)),
    )
    world = World(shop, given.users)
    base = kept(work / f"base-{given.day}-{given.users}", lambda: base_model(world, given.day))
    tune(world, base, given) if given.tune else judge(world, base, given)


if __name__ == "__main__":
    main()
