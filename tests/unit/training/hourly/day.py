"""A day of the small shop, hour by hour, as refreshes publish it; and an untrained champion."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from pipeline.runtime.days import shift
from pipeline.runtime.settings import Settings
from pipeline.tables.intraday import INTRADAY_REFRESHES, USER_HISTORY_INTRADAY
from tests.unit.pipeline.staged_factory import SOUND
from tests.unit.training.factory import (
    DS,
    daily,
    embeddings,
    event,
    examples,
    history,
    item_rows,
    publish_day,
    user_id,
)
from tests.unit.training.unfitted import plain_propensities, plain_rankers
from training.data.catalogue import build_catalogue
from training.data.users import HEADS
from training.data.windowed_counts import FEATURES
from training.model.model import Card, TrainedModel, save
from training.network.network import InterestModel, Shape
from training.network.presets import PRESETS
from training.network.vocabulary import Vocabulary
from training.ranking.features import feature_names
from training.registry.runs import open_client
from training.registry.versions import CHAMPION, MODEL

DAY = shift(DS, 1)
USERS, ITEMS = 120, 80


def untrained(**preset: object) -> TrainedModel:
    """Weights as drawn, with everything around them that scoring needs."""
    torch.manual_seed(0)
    known = build_catalogue(embeddings(ITEMS)).item_ids
    shape = Shape.of(
        PRESETS["tiny"],
        text_width=8,
        ids=len(known),
        platforms=1,
        features=len(FEATURES),
        heads=len(HEADS),
    )
    return TrainedModel(
        InterestModel(shape).eval(),
        Vocabulary(known, np.ones(len(known), dtype=np.int64)),
        Card(DS, "r", preset, shape.as_dict(), "made up", ["shop"], {}),
        fitted_rankers=plain_rankers(feature_names()),
        fitted_propensities=plain_propensities(),
    )


def crown(settings: Settings, folder: Path) -> str:
    """Registers a champion to whom all items are alike: so what hours teach can be foreseen."""
    model = untrained()
    for weights in (model.model.text.weight, model.model.text.bias, model.model.ids.weight):
        torch.nn.init.zeros_(weights)
    save(model, folder)
    client = open_client(settings)
    if not client.search_registered_models(f"name = '{MODEL}'"):
        client.create_registered_model(MODEL)
    version = client.create_model_version(MODEL, folder.as_uri(), tags={"ds": DS}).version
    client.set_registered_model_alias(MODEL, CHAMPION, str(version))
    return str(version)


def publish_night(settings: Settings) -> None:
    """What hourly learning reads of the night DS."""
    publish_day(settings, "item_embeddings", embeddings(ITEMS))
    publish_day(settings, "items", item_rows(ITEMS))
    publish_day(settings, "user_history", history(USERS, ITEMS))
    publish_day(settings, "training_examples", examples(USERS, ITEMS))


class Refreshes:
    """Publishes refreshes of DAY; `rows` are those of all users with events since the night."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.rows = settings, {}  # type: ignore[var-annotated]
        self.hours: list[dict] = []
        self.night = {row["user_id"]: row["events"] for row in history(USERS, ITEMS).to_pylist()}

    def publish(self, hour: int, turned: dict[int, list[int]]) -> str:
        """Users (by number) turn to items (by number) in an hour; returns its key."""
        key = f"{DAY}T{hour:02d}"
        for number, items in turned.items():
            user = user_id(number)
            before = self.rows.get(user, {"events": self.night.get(user, [])})["events"]
            new = [event(f"shop:{item:03d}", "view", DAY, hour) for item in items]
            events = [*before, *new]
            self.rows[user] = {
                "ds": DAY,
                "user_id": user,
                "platforms": ["shop"],
                "first_ds": DS,
                "last_ds": DAY,
                "events": events,
                "daily": daily(events),
                "hour": key,
            }
        refresh = SOUND["intraday_refreshes"] | {"ds": DAY, "hour": key, "run": key, "base_ds": DS}
        self.hours.append(refresh)
        for table, rows in (
            (USER_HISTORY_INTRADAY, list(self.rows.values())),
            (INTRADAY_REFRESHES, self.hours),
        ):
            found = pa.Table.from_pylist(rows, schema=table.schema)
            publish_day(self.settings, table.name, found, DAY, run=key)
        return key
