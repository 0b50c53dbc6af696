"""Odd accounts to plant among events, and what the sample's truth knows of users and items."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from pipeline.runtime.settings import Settings
from pipeline.sources.user_key import load_user_key, pseudonym
from spark_jobs.states.history import EVENT_FIELDS

EACH = 10  # accounts of a kind
STEADY, LATELY = 15, 20  # events, and days since the last, of users whose account is taken over


def plant(events: pl.DataFrame, items: pl.DataFrame, ds: str, seed: int) -> tuple[pl.DataFrame, dict[str, str]]:
    """Rows to be added, and the kind of each account: bots (hundreds of views on five days, two to
    thirty seconds apart), resellers (dozens of pieces of few items, several times), takeovers (dear
    things of other topics, bought by several within minutes at three at night)."""
    generator, rows = np.random.default_rng(seed), Rows(items)
    day = datetime.fromisoformat(ds).replace(tzinfo=UTC)
    own = events.group_by("user_id").agg(pl.len(), pl.col("arrival_ds").max())
    lately = (day - timedelta(LATELY)).date().isoformat()
    steady = own.filter(pl.col("len") >= STEADY, pl.col("arrival_ds") > lately)
    known = generator.permutation(steady["user_id"].sort().to_numpy())
    kinds = {f"bot{n}": "bot" for n in range(EACH)}
    kinds |= dict.fromkeys(known[:EACH].tolist(), "reseller")
    kinds |= dict.fromkeys(known[EACH : 2 * EACH].tolist(), "takeover")
    act = {"bot": _bot, "reseller": _reseller, "takeover": _takeover}
    for user, kind in kinds.items():
        act[kind](rows, user, day, generator)
    return pl.DataFrame(rows.rows, schema=SCHEMA, orient="row"), kinds


class Rows:
    """Events, with items by number."""

    def __init__(self, items: pl.DataFrame) -> None:
        known = items.filter(pl.col("price") > 0).sort("item_id")
        self.ids, self.prices = known["item_id"].to_list(), known["price"].to_numpy()
        self.rows: list[tuple[object, ...]] = []

    def add(self, user: str, item: int, kind: str, when: datetime, pieces: float | None = None) -> None:
        name = self.ids[item]
        self.rows.append(
            (
                user,
                name.split(":")[0],
                name,
                kind,
                when,
                when.date().isoformat(),
                pieces,
                float(self.prices[item]),
                None,
            )
        )


def _bot(rows: Rows, user: str, day: datetime, generator: np.random.Generator) -> None:
    pace = generator.uniform(2, 30)
    for ago in generator.choice(np.arange(1, 31), 5, replace=False):
        when = day - timedelta(days=int(ago))
        for item in generator.permutation(len(rows.ids))[: generator.integers(100, 500)]:
            when += timedelta(seconds=pace * generator.uniform(0.8, 1.2))
            rows.add(user, int(item), "view", when)


def _reseller(rows: Rows, user: str, day: datetime, generator: np.random.Generator) -> None:
    for _ in range(generator.integers(3, 7)):
        when = day - timedelta(days=int(generator.integers(0, 45)), hours=-12)
        for item in generator.choice(len(rows.ids), generator.integers(1, 4)):
            rows.add(user, int(item), "purchase", when, float(generator.integers(8, 60)))


def _takeover(rows: Rows, user: str, day: datetime, generator: np.random.Generator) -> None:
    when = day - timedelta(days=int(generator.integers(0, 3)), hours=-3)
    dear = np.argsort(-rows.prices, kind="stable")[: len(rows.prices) // 5]
    for item in generator.choice(dear, generator.integers(4, 8)):
        when += timedelta(seconds=generator.uniform(20, 60))
        for kind, pieces in (
            ("view", None),
            ("cart", None),
            ("purchase", generator.integers(2, 5)),
        ):
            rows.add(user, int(item), kind, when, None if pieces is None else float(pieces))
            when += timedelta(seconds=7)


def true_users(settings: Settings) -> pl.DataFrame:
    """user_id and day of leaving of the sample's people."""
    key = load_user_key(settings.home)
    people = pl.read_parquet(settings.landing / "_truth/users.parquet").filter(~pl.col("is_bot"))

    def identity(row: dict[str, str | None]) -> str:
        if row["webshop_id"] and row["marketplace_id"]:
            return f"person:{row['person_id']}"
        platform = "webshop" if row["webshop_id"] else "marketplace"
        return f"{platform}:{row[f'{platform}_id']}"

    ids = [pseudonym(key, identity(row)) for row in people.to_dicts()]
    return people.select(user_id=pl.Series(ids), left=pl.col("churned_ds").str.to_date())


def true_items(settings: Settings, events: pl.DataFrame) -> pl.DataFrame:
    """The sample's items with their true topics."""
    items = pl.read_parquet(settings.landing / "_truth/items.parquet")
    price = events.group_by("item_id").agg(pl.col("price").median())
    names = items.select("platform", "title", item_id=pl.col("platform") + ":" + pl.col("raw_id"), topic_id="topic")
    return names.join(price, on="item_id", how="left")


TYPES = (pl.String, pl.String, pl.Datetime("us", "UTC"), pl.String, pl.Float64, pl.Float64, pl.String)
SCHEMA = {"user_id": pl.String, "platform": pl.String} | dict(zip(EVENT_FIELDS, TYPES, strict=True))
