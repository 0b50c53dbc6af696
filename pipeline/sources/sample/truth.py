"""The ground truth, written to `_truth/` next to the logs; the pipeline never reads it."""

from pathlib import Path

import numpy as np
import polars as pl

from pipeline.sources.sample.bots import Bots
from pipeline.sources.sample.clock import PLATFORMS, Clock
from pipeline.sources.sample.formats import MARKETPLACE, WEBSHOP, user_ids
from pipeline.sources.sample.items import Catalogue
from pipeline.sources.sample.people import NEVER, Home, People, Shift
from pipeline.sources.sample.rows import EVENT_FATES, MALFORMED_FATES, Fate
from pipeline.sources.sample.topics import TOPIC_NAMES


def person_ids(people: People) -> pl.DataFrame:
    """One row per person: `person_id` and the raw ids, null where the person has none."""
    home = pl.Series(people.home)
    names = [f"P{number:07d}" for number in range(len(people))]
    return pl.DataFrame(
        {
            "person_id": names,
            "webshop_id": user_ids(WEBSHOP, len(people)).set(home == Home.MARKETPLACE, None),
            "marketplace_id": user_ids(MARKETPLACE, len(people)).set(home == Home.WEBSHOP, None),
        }
    )


def identity(ids: pl.DataFrame) -> pl.DataFrame:
    """`platform, raw_id, person_id` of the people who have an id on both platforms."""
    both = ids.drop_nulls()
    sides = [
        both.select(pl.lit(name).alias("platform"), pl.col(f"{name}_id").alias("raw_id"), "person_id")
        for name in PLATFORMS
    ]
    return pl.concat(sides)


def users(people: People, bots: Bots, ids: pl.DataFrame, clock: Clock) -> pl.DataFrame:
    """One row per person or bot: tastes, activity and life span."""
    person = ids.with_columns(
        topics=_topic_names(people.topics.ravel()).reshape((len(people), -1)).arr.to_list(),
        weights=pl.Series(people.weights).arr.to_list(),
        activity=pl.Series(people.activity),
        joined_ds=_dates(people.joined, clock),
        churned_ds=_dates(people.left, clock),
        is_bot=pl.lit(value=False),
    )
    number, first = np.unique(bots.user, return_index=True)
    total = int(number.max()) + 1
    platform = pl.Series(bots.platform[first])
    robot = pl.DataFrame(
        {
            "person_id": [f"B{n:07d}" for n in number],
            "webshop_id": user_ids(WEBSHOP, total).gather(number).set(platform == 1, None),
            "marketplace_id": user_ids(MARKETPLACE, total).gather(number).set(platform == 0, None),
            "is_bot": np.full(len(number), fill_value=True),
        }
    )
    return pl.concat([person, robot], how="diagonal")


def shifts(people: People, ids: pl.DataFrame, clock: Clock) -> pl.DataFrame:
    """One row per planted shift; for a revival `gone_ds` is when the interest went away."""
    on = np.flatnonzero(people.shift != Shift.NONE)
    revival = people.shift[on] == Shift.REVIVAL
    strongest, other = people.topics[on, 0], people.new_topic[on]
    return ids[on].with_columns(
        kind=pl.Series([Shift(kind).name.lower() for kind in people.shift[on]], dtype=pl.String),
        from_topic=_topic_names(np.where(revival, other, strongest)),
        to_topic=_topic_names(np.where(revival, strongest, other)),
        start_ds=_dates(people.shift_day[on], clock),
        duration_days=pl.Series(people.shift_length[on]),
        strength=pl.Series(people.strength[on]),
        gone_ds=_dates(people.gone_day[on], clock),
    )


def items(catalogue: Catalogue, raw_ids: pl.Series, clock: Clock) -> pl.DataFrame:
    """One row per item: topic, first day in the catalogue, and what makes it sell."""
    return pl.DataFrame(
        {
            "platform": pl.Series(PLATFORMS).gather(catalogue.platform),
            "raw_id": raw_ids,
            "topic": _topic_names(catalogue.topic),
            "title": catalogue.title,
            "first_ds": _dates(np.maximum(catalogue.first_day, 0), clock),
            "appeal": catalogue.appeal,
            "trend": catalogue.trend,
            "companions": [raw_ids.gather(row).to_list() for row in catalogue.companions],
        }
    )


def accounting_row(platform: int, ds: str, counts: np.ndarray) -> dict[str, str | int]:
    """What landed on a day: `counts` has one element per fate. Late and skewed rows are events."""
    return {
        "platform": PLATFORMS[platform],
        "ds": ds,
        "rows_landed": int(counts.sum()),
        "events": int(counts[list(EVENT_FATES)].sum()),
        "exact_duplicates": int(counts[Fate.EXACT_DUPLICATE]),
        "near_duplicates": int(counts[Fate.NEAR_DUPLICATE]),
        "malformed": int(counts[list(MALFORMED_FATES)].sum()),
        **{fate.name.lower(): int(counts[fate]) for fate in MALFORMED_FATES},
        "bots": int(counts[Fate.BOT]),
        "too_late": int(counts[Fate.TOO_LATE]),
        "in_future": int(counts[Fate.IN_FUTURE]),
        "late": int(counts[Fate.LATE]),
        "skewed": int(counts[Fate.SKEWED]),
    }


def write_truth(out: Path, **tables: pl.DataFrame) -> None:
    """`_truth/<name>.parquet` for each table."""
    folder = out / "_truth"
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        table.write_parquet(folder / f"{name}.parquet")


def _topic_names(number: np.ndarray) -> pl.Series:
    return pl.Series(TOPIC_NAMES).gather(number)


def _dates(day: np.ndarray, clock: Clock) -> pl.Series:
    """Days as YYYY-MM-DD; null for never, and for before the first day."""
    known = pl.Series([clock.ds(day) for day in range(clock.days)], dtype=pl.String)
    within = (day >= 0) & (day < min(NEVER, clock.days))
    return known.gather(pl.Series(np.where(within, day, -1)).cast(pl.Int64).set(~pl.Series(within), None))
