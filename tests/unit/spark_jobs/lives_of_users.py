"""Made-up histories for tests of behaviour signals: many plain users, and any odd ones beside."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from pipeline.tables.registry import EVENTS, USER_HISTORY
from spark_jobs.states.history import EVENT_FIELDS, histories
from tests.unit.spark_jobs.published_rows import Row, as_polars, event

DS = "2024-03-31"
ITEMS = pl.DataFrame(
    {
        "item_id": [f"shop:{n}" for n in range(20)],
        "platform": ["shop"] * 20,
        "topic_id": [f"t{n % 4:04d}" for n in range(20)],
        "price": [float(2 + n) for n in range(20)],
        "title": [f"thing {n % 4} number{n}" for n in range(20)],
    }
)


def moment(ago: float, hour: float = 12) -> datetime:
    """So many days before DS, at an hour."""
    return datetime.fromisoformat(DS).replace(tzinfo=UTC) + timedelta(days=-int(ago), hours=hour)


def act(user: str, item: int, kind: str, when: datetime, quantity: float | None = None) -> Row:
    return event(
        when.isoformat(),
        user_id=user,
        item_id=f"shop:{item}",
        event_type=kind,
        quantity=quantity,
        price=float(2 + item),
        arrival_ds=when.date().isoformat(),
    )


def plain_users(number: int, seed: int = 3) -> list[Row]:
    """Users of two topics who come now and then, look at a few things and buy one at times."""
    generator, rows = np.random.default_rng(seed), []
    for user in range(number):
        topics = generator.choice(4, 2, replace=False)
        for ago in generator.choice(90, generator.integers(3, 15), replace=False):
            when = moment(ago, generator.uniform(8, 22))
            for step in range(generator.integers(1, 5)):
                item = int(generator.choice(topics)) + 4 * int(generator.integers(0, 5))
                when += timedelta(seconds=float(generator.uniform(20, 200)))
                rows.append(act(f"{user:08x}", item, "view", when))
                if step and generator.random() < 0.4:
                    rows.append(act(f"{user:08x}", item, "purchase", when, 1.0))
    return rows


def history(rows: list[Row], ds: str = DS, active_days: int = 365) -> pl.DataFrame:
    """`user_history` of a day, by user."""
    new = as_polars(EVENTS, rows).rename({"account_id": "user_id"}).select("user_id", "platform", *EVENT_FIELDS)
    past = as_polars(USER_HISTORY, []).select("user_id", pl.exclude("ds", "user_id").name.prefix("past_"))
    both = pl.concat([past, new], how="diagonal")
    return histories(both, [ds], active_days, history_events=1024).sort("user_id")
