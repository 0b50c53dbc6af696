"""What do hours of history, and learning by the hour, add after planted shifts?

    python tests/bench/bench_hourly_learning.py --seed 302                     (figures)
    python tests/bench/bench_hourly_learning.py --seed 302 --common 0.3        (a common shift)
    python tests/bench/bench_hourly_learning.py --seed 301 --tune              (choose the steps)

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
import tempfile
import time
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import torch

from tests.bench.hourly_world import WEEK, Shop, shop_of
from training.bootstrap import interval
from training.building import _model_scores
from training.examples import Examples, to_examples
from training.fitting import fit
from training.hourly.answers import Pairs, Quality, quality
from training.hourly.guard import decide, gain
from training.hourly.trend import item_trend
from training.hourly.update import Rows, Steps, candidate
from training.prediction import Predictor
from training.presets import PRESETS, Preset
from training.propensity.stack import plain_propensities
from training.rankers.engagements import Engagements, engagements, merged
from training.rankers.fitting import fit_rankers
from training.rankers.platforms import markets
from training.trained import Card, TrainedModel
from training.training_data import TrainingData
from training.vocabulary import count_items, vocabulary_of

PRESET = replace(
    PRESETS["quick"], targets=8, steps_per_epoch=60, epochs=3, reads_text=False, blend_users=400,
    blend_effort=0.5, blend_seeds=1, ranked_items=1024, ease_items=256,
)  # fmt: skip
CPU, K, OLDER = torch.device("cpu"), 10, 1024
VARIANTS = ("frozen", "nightly", "history", "learning")


@dataclass(frozen=True)
class World:
    """A shop, and what does not depend on how hours are learned from."""

    shop: Shop
    users: int  # whom the model learns from: those with the lowest numbers

    def examples(self, rows: pl.DataFrame) -> Examples:
        return to_examples(self.shop.examples(rows), self.shop.catalogue)

    def training(self, day: int, start: TrainedModel | None = None) -> TrainingData:
        """Weeks that end with `day`: the last is to validate on."""
        folds = [("valid", 1), *(("train", week) for week in (2, 3, 4))]
        rows = self.shop.events.filter(pl.col("user") < self.users)
        parts = [
            rows.filter(pl.col("at") < (day + 1 - WEEK * week) * 24).select("user").unique().sort(
                "user").with_columns(known=pl.lit((day + 1 - WEEK * week) * 24),
                until=pl.lit((day + 1 - WEEK * (week - 1)) * 24), fold=pl.lit(fold))
            for fold, week in folds
        ]  # fmt: skip
        examples = self.examples(pl.concat(parts))
        last = int(examples.as_of[~examples.is_train].max())
        seen = count_items(examples, last, len(self.shop.catalogue))
        vocabulary = vocabulary_of(self.shop.catalogue, seen, start and start.vocabulary)
        features = examples.features[examples.is_train]
        spread = features.std(axis=0)
        return TrainingData(
            self.shop.clock.ds(day), examples, self.shop.catalogue, vocabulary, last, {}, {},
            features.mean(axis=0), np.where(spread > 1e-6, spread, 1.0), start,
        )  # fmt: skip

    def hours(self, day: int) -> pl.DataFrame:
        """(user, hour) of those who turn to something, as rows of `Shop.examples`."""
        kinds = [1, 3, 4, 5]  # view, cart, favorite, purchase
        found = self.shop.events.filter(pl.col("kind").is_in(kinds), pl.col("day") == day)
        found = found.select("user", "at").unique().sort("at", "user")
        return found.with_columns(known=pl.col("at"), until=pl.col("at") + 1, fold=pl.lit("train"))

    def shifted(self, users: np.ndarray, day: int) -> np.ndarray:
        """Whether a shift of each began within a week before the end of `day`."""
        near = self.shop.shifts.filter(pl.col("day") <= day, pl.col("day") > day - WEEK)
        return np.isin(users, near["user"].to_numpy())


def trained_on(data: TrainingData, preset: Preset) -> TrainedModel:
    with tempfile.TemporaryDirectory() as folder:
        fitted = fit(data, preset, Path(folder), CPU)
    model = fitted.model.eval()
    card = Card(
        data.ds, data.ds, asdict(preset), model.shape.as_dict(), data.catalogue.encoder,
        list(data.catalogue.platforms), {}, learned_to=data.last_day,
    )  # fmt: skip
    print(
        f"model of {data.ds}: {sum(p.cpu_seconds for p in fitted.progress):.0f} CPU s", flush=True
    )
    return TrainedModel(model, data.vocabulary, card, CPU, None, plain_propensities())


def base_model(world: World, day: int) -> TrainedModel:
    """The champion: trained, with blends of the published lists."""
    data = world.training(day)
    trained = trained_on(data, PRESET)
    score = partial(_model_scores, Predictor.of(trained, data.catalogue), data.examples)
    rankers = fit_rankers(data.examples, data.catalogue, PRESET, score)
    return replace(trained, fitted_rankers=rankers)


@dataclass
class Market:
    """What everybody did, hour by hour: only users of the hour before are read anew."""

    world: World
    users: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=int))
    known: Engagements | None = None

    def at(self, hour: int, day: int) -> Engagements:
        rows = self.world.shop.events.filter(pl.col("at") < hour)
        touched = rows if self.known is None else rows.filter(pl.col("at") >= self.last)
        new = touched["user"].unique().sort()
        states = self.world.examples(
            pl.DataFrame({"user": new}).with_columns(
                known=pl.lit(hour), until=pl.lit(hour), fold=pl.lit("train")
            )
        )
        items = len(self.world.shop.catalogue)
        as_of = self.world.shop.day(day)
        mine = engagements(states.past, np.arange(len(states)), as_of, items)
        if self.known is not None:
            silent = np.flatnonzero(~np.isin(self.users, new.to_numpy()))
            others = self.known.within(silent, np.ones(items, dtype=bool))
            mine = merged([others, mine], items)
            self.users = np.concatenate([self.users[silent], new.to_numpy()])
        else:
            self.users = new.to_numpy()
        self.known, self.last = mine, hour
        return mine


@dataclass
class Line:
    """What hourly learning does, hour by hour."""

    world: World
    champion: TrainedModel
    plan: Steps
    older: Examples
    trained: TrainedModel | None = None  # what serves, when it is not the champion
    candidate: TrainedModel | None = None
    gains: list = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)
    offered: list[tuple[float, float, float]] = field(default_factory=list)  # of candidates

    @property
    def serving(self) -> TrainedModel:
        return self.trained or self.champion

    def hour(self, examples: Examples, trend: np.ndarray, champion: Quality) -> Quality:
        """Judges, decides and learns; returns how what served answered."""
        catalogue = self.world.shop.catalogue
        served = quality(self.trained, examples, catalogue, trend) if self.trained else champion
        asked, new, old = int((~np.isnan(champion.loss)).sum()), None, None
        held = replace_rows(self.older, slice(0, OLDER // 2))
        flat = np.zeros(len(catalogue), np.float32)
        if self.candidate is not None:
            new = gain(quality(self.candidate, examples, catalogue, trend).loss, served.loss)
            pair = [quality(m, held, catalogue, flat).loss for m in (self.candidate, self.serving)]
            old = gain(*pair)
            self.offered.append((new[0], new[1], old[1]))
        if self.trained is not None:
            self.gains.insert(0, (asked, gain(served.loss, champion.loss)))
        decision = decide(asked, self.gains, new, old or (np.nan,) * 3)
        self.decisions.append(decision.decision)
        if decision.serves == "champion":
            self.trained, self.gains = None, []
        elif decision.serves == "candidate":
            self.trained = self.candidate
        learned = replace_rows(self.older, slice(OLDER // 2, None))
        hour, older = Rows(examples, trend), Rows(learned, flat)
        self.candidate = candidate(self.serving, hour, older, catalogue, self.plan)
        return served


def replace_rows(examples: Examples, rows: slice) -> Examples:
    return TAKEN[id(examples), rows.start, rows.stop]


TAKEN: dict = {}


def remember(world: World, day: int) -> Examples:
    """Older rows: the first half judges, the second is replayed."""
    rows = world.shop.events.filter(pl.col("at") < (day + 1 - 2 * WEEK) * 24)
    users = rows.select("user").unique().sort("user").head(OLDER).with_columns(
        known=pl.lit((day + 1 - 2 * WEEK) * 24), until=pl.lit((day + 1 - WEEK) * 24),
        fold=pl.lit("train"),
    )  # fmt: skip
    whole = world.examples(users)
    TAKEN[id(whole), 0, OLDER // 2] = world.examples(users.head(OLDER // 2))
    TAKEN[id(whole), OLDER // 2, None] = world.examples(users.tail(len(users) - OLDER // 2))
    return whole


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
    line = Line(world, base, Steps(), remember(world, given.day))
    nightly, catalogue, market = base, world.shop.catalogue, Market(world)
    for day in range(given.day + 1, given.day + 1 + given.judged):
        asked = world.hours(day)
        night = market.at(day * 24, day - 1)
        if day > given.day + 1:
            data = world.training(day - 1, replace(nightly))
            preset = PRESET.warm().on(nightly.card.preset)
            warm = trained_on(data, preset)
            nightly = replace(warm, fitted_rankers=base.fitted_rankers)
        places = markets(night, catalogue, predictor_sizes())
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
            here = markets(everyone, catalogue, predictor_sizes()) if given.lists else {}
            champion = quality(base, now, catalogue, trend)
            serving = line.serving
            answers = {
                "frozen": quality(base, stale, catalogue, old_trend),
                "nightly": quality(nightly, stale, catalogue, new_trend),
                "history": champion,
                "learning": line.hour(now, trend, champion),
            }
            asks = {"frozen": (base, stale, places), "nightly": (nightly, stale, places),
                    "history": (base, now, here), "learning": (serving, now, here)}  # fmt: skip
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


def predictor_sizes():
    from training.rankers.market import Sizes

    return Sizes(PRESET.ranked_items, PRESET.ease_items)


def report(found: dict[str, np.ndarray]) -> None:
    """Means over users of hours, and what each variant gains over frozen and over `history`."""
    for who, rows in (("all users", found["shifted"] >= 0), ("shifted users", found["shifted"])):
        users = found["user"][rows]
        print(f"\n{who}: {len(np.unique(users))} users, {rows.sum()} users of hours")
        for metric in ("published", "model", "loss"):
            if f"frozen/{metric}" not in found:
                continue
            values = {name: found[f"{name}/{metric}"][rows] for name in VARIANTS}
            told = {name: by_user(users, x) for name, x in values.items()}
            for name in VARIANTS:
                line = f"  {metric:9} {name:8} {np.nanmean(told[name]):.4f}"
                for other in ("frozen", "history"):
                    if other != name:
                        line += f"  - {other} {interval_text(told[name] - told[other])}"
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
    catalogue, market = world.shop.catalogue, Market(world)
    hours, older = [], remember(world, given.day)
    for day in range(given.day + 1, given.day + 1 + given.judged):
        trend = item_trend(base, catalogue, market.at(day * 24, day - 1))
        for _, rows in world.hours(day).group_by("at", maintain_order=True):
            now = world.examples(rows)
            hours.append((now, trend, quality(base, now, catalogue, trend)))
    for plan in plans(given):
        line, began = Line(world, base, plan, older), time.process_time()
        gains = [champion.loss - line.hour(now, trend, champion).loss
                 for now, trend, champion in hours]  # fmt: skip
        told = " ".join(f"{x:+.4f}" for x in np.mean(line.offered, axis=0))
        counts = {word: line.decisions.count(word) for word in sorted(set(line.decisions))}
        print(
            f"{'+'.join(plan.parts):10} steps {plan.steps} bias {plan.bias_rate:5.1f} rate "
            f"{plan.rate:.0e} replay {plan.replay:.2f}: "
            f"{interval_text(np.concatenate(gains))} nats, {counts}, offered {told}, "
            f"{time.process_time() - began:.0f} CPU s",
            flush=True,
        )


def plans(given: argparse.Namespace) -> list[Steps]:
    """Choices of a kind of parts."""
    moved = tuple(given.parts.split("+"))
    if moved == ("bias",):
        return [Steps(moved, bias_rate=rate) for rate in given.rates or (1.0, 3.0, 10.0, 30.0)]
    return [Steps(moved, rate=rate) for rate in given.rates or (1e-4, 1e-3)]


def kept(path: Path, make):
    """What `make` gives, read back when it was made before."""
    if path.exists():
        return pickle.loads(path.read_bytes())
    value = make()
    path.write_bytes(pickle.dumps(value))
    return value


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
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
        lambda: shop_of(
            given.events, given.days, given.seed, given.density, (given.common, given.day + 1)
        ),
    )
    world = World(shop, given.users)
    base = kept(work / f"base-{given.day}-{given.users}", lambda: base_model(world, given.day))
    tune(world, base, given) if given.tune else judge(world, base, given)


if __name__ == "__main__":
    main()
