"""Models of a generated shop, engagements by the hour, and what hourly learning does."""

import tempfile
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import torch

from tests.bench.hourly_world import WEEK, Shop
from tests.unit.training.unfitted import plain_propensities
from training.data.catalogue import Catalogue
from training.data.sequences import ENGAGED_KINDS
from training.data.users import Examples, to_examples
from training.evaluation.intervals import Interval
from training.fitting.data import TrainingData
from training.fitting.fit_model import fit, model_scores
from training.hourly.guard import gain, which_serves
from training.hourly.predicted import Quality, quality
from training.hourly.update import Rows, Steps, candidate
from training.model.model import Card, TrainedModel
from training.model.predictor import Predictor
from training.network.presets import PRESETS, Preset
from training.network.vocabulary import count_items, vocabulary_of
from training.ranking.engagements import Engagements, engagements, merged
from training.ranking.fit_blends import fit_blends
from training.ranking.market import Sizes

PRESET = replace(
    PRESETS["quick"],
    targets=8,
    steps_per_epoch=60,
    epochs=3,
    reads_text=False,
    blend_users=400,
    blend_effort=0.5,
    blend_seeds=1,
    ranked_items=1024,
    ease_items=256,
)
SIZES = Sizes(PRESET.ranked_items, PRESET.ease_items)
CPU, OLDER = torch.device("cpu"), 1024


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
            rows.filter(pl.col("at") < (day + 1 - WEEK * week) * 24)
            .select("user")
            .unique()
            .sort("user")
            .with_columns(
                known=pl.lit((day + 1 - WEEK * week) * 24),
                until=pl.lit((day + 1 - WEEK * (week - 1)) * 24),
                fold=pl.lit(fold),
            )
            for fold, week in folds
        ]
        examples = self.examples(pl.concat(parts))
        last = int(examples.as_of[~examples.is_train].max())
        seen = count_items(examples, last, len(self.shop.catalogue))
        vocabulary = vocabulary_of(self.shop.catalogue, seen, start and start.vocabulary)
        features = examples.features[examples.is_train]
        spread = features.std(axis=0)
        return TrainingData(
            self.shop.clock.ds(day),
            examples,
            self.shop.catalogue,
            vocabulary,
            last,
            {},
            {},
            features.mean(axis=0),
            np.where(spread > 1e-6, spread, 1.0),
            start,
        )

    def catalogue(self, day: int) -> Catalogue:
        """As of the night before: an item that is new on the day is known to nobody."""
        known = self.shop.catalogue
        new = known.first_day >= self.shop.day(day)
        return replace(known, first_day=np.where(new, known.first_day + 10**6, known.first_day))

    def hours(self, day: int) -> pl.DataFrame:
        """(user, hour) of those who turn to something, as rows of `Shop.examples`."""
        engaged = pl.col("kind").is_in(ENGAGED_KINDS.tolist())  # kinds are numbered alike
        found = self.shop.events.filter(engaged, pl.col("day") == day)
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
        data.ds,
        data.ds,
        asdict(preset),
        model.shape.as_dict(),
        data.catalogue.encoder,
        list(data.catalogue.platforms),
        {},
        learned_to=data.last_day,
    )
    print(f"model of {data.ds}: {sum(p.cpu_seconds for p in fitted.progress):.0f} CPU s", flush=True)
    return TrainedModel(model, data.vocabulary, card, CPU, None, plain_propensities())


def base_model(world: World, day: int) -> TrainedModel:
    """The champion: trained, with blends of the published lists."""
    data = world.training(day)
    trained = trained_on(data, PRESET)
    score = partial(model_scores, Predictor.of(trained, data.catalogue), data.examples)
    rankers = fit_blends(data.examples, data.catalogue, PRESET, score)
    return replace(trained, fitted_rankers=rankers)


@dataclass
class Market:
    """What everybody did, hour by hour: only users of the hour before are read again."""

    world: World
    users: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=int))
    known: Engagements | None = None

    def at(self, hour: int, day: int) -> Engagements:
        rows = self.world.shop.events.filter(pl.col("at") < hour)
        touched = rows if self.known is None else rows.filter(pl.col("at") >= self.last)
        new = touched["user"].unique().sort()
        states = self.world.examples(
            pl.DataFrame({"user": new}).with_columns(known=pl.lit(hour), until=pl.lit(hour), fold=pl.lit("train"))
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

    champion: TrainedModel
    plan: Steps
    held: Examples  # older rows that judge
    replayed: Examples
    trained: TrainedModel | None = None  # what serves, when it is not the champion
    candidate: TrainedModel | None = None
    gains: list[tuple[int, Interval]] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)
    offered: list[tuple[float, float, float]] = field(default_factory=list)  # of candidates

    @property
    def serving(self) -> TrainedModel:
        return self.trained or self.champion

    def hour(self, examples: Examples, catalogue: Catalogue, trend: np.ndarray, champion: Quality) -> Quality:
        """Judges, decides and learns; returns how what served answered."""
        served = quality(self.trained, examples, catalogue, trend) if self.trained else champion
        asked, new, old = int((~np.isnan(champion.loss)).sum()), None, None
        flat = np.zeros(len(catalogue), np.float32)
        if self.candidate is not None:
            new = gain(quality(self.candidate, examples, catalogue, trend).loss, served.loss)
            both = (self.candidate, self.serving)
            old = gain(*(quality(model, self.held, catalogue, flat).loss for model in both))
            self.offered.append((new[0], new[1], old[1]))
        if self.trained is not None:
            self.gains.insert(0, (asked, gain(served.loss, champion.loss)))
        decision = which_serves(asked, self.gains, new, old or (np.nan,) * 3)
        self.decisions.append(decision.decision)
        if decision.serves == "champion":
            self.trained, self.gains = None, []
        elif decision.serves == "candidate":
            self.trained = self.candidate
        hour, older = Rows(examples, trend), Rows(self.replayed, flat)
        self.candidate = candidate(self.serving, hour, older, catalogue, self.plan)
        return served


def older_rows(world: World, day: int) -> tuple[Examples, Examples]:
    """Users of a finished week: the first half judges, the second is replayed."""
    known, until = ((day + 1 - WEEK * weeks) * 24 for weeks in (2, 1))
    rows = world.shop.events.filter(pl.col("at") < known)
    users = rows.select("user").unique().sort("user").head(OLDER)
    users = users.with_columns(known=pl.lit(known), until=pl.lit(until), fold=pl.lit("train"))
    return world.examples(users[: OLDER // 2]), world.examples(users[OLDER // 2 :])
