"""Which groups the audit of an evaluation compares: of users and of items.

Users fall into groups by platform, activity, newness, and by the attributes of events that `TIDEMARK_AUDIT_USERS`
names; items by platform, age, popularity, and by the columns of `items` that `TIDEMARK_AUDIT_ITEMS` names.
"""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.runtime.days import shift
from pipeline.runtime.errors import ModelError
from pipeline.runtime.floor import FLOOR
from pipeline.runtime.settings import Settings
from pipeline.storage.declared import arrow_rows
from pipeline.storage.persons import persons_as_of
from pipeline.storage.reading import pinned_files
from pipeline.tables.registry import EVENTS, ITEMS
from training.data.catalogue import NO_PINS, Catalogue, Pins, open_table
from training.data.users import Examples
from training.evaluation.challenger import Evaluation, HeldOutWindow
from training.evaluation.fairness import Served, audit, by_popularity
from training.evaluation.report import Audit
from training.evaluation.slices import NEW_DAYS

NEW_USER_DAYS = 28
DECILES = 10
THIRDS = ("low", "middle", "high")
UNKNOWN = "unknown"


def audited(settings: Settings, evaluation: Evaluation, window: HeldOutWindow, pins: Pins = NO_PINS) -> Audit:
    """The audit of the published list of next items and of the published chances.

    Attributes are read from the newest snapshot of `events`, columns of items from the one that the model was trained
    on. Raises ModelError for an attribute that no event has.
    """
    judged, examples, catalogue = evaluation.judged, window.examples, window.catalogue
    as_of = int(examples.as_of.max())
    served = Served(
        judged.rows,
        judged.rankings["next_items"]["published"].places,
        judged.answers["next_items"],
        evaluation.labels,
        evaluation.chances,
        catalogue.first_day <= as_of,
        judged.share,
    )
    declared = attributes_of(settings, examples.users, day_of(as_of), window.ds)
    columns = columns_of(settings, catalogue, window.ds, pins)
    return audit(
        served,
        users_by(examples, catalogue) | declared,
        items_by(served, catalogue, as_of) | columns,
        max(FLOOR, settings.segment_floor),
    )


def users_by(examples: Examples, catalogue: Catalogue) -> dict[str, np.ndarray]:
    """[users] names of groups by platform (`several` for users of more than one), activity and newness.

    Newness goes by the oldest event kept: `TIDEMARK_HISTORY_EVENTS` events within 28 days look like a new user.
    """
    past, size = examples.past, len(examples)
    used = examples.platforms
    one = np.array([*catalogue.platforms, UNKNOWN], dtype=object)[np.where(used.any(axis=1), used.argmax(axis=1), -1)]
    engaged = np.bincount(past.rows[past.engaged], minlength=size)
    bounds = np.quantile(engaged, [1 / 3, 2 / 3])
    first = np.full(size, np.iinfo(np.int64).max)
    np.minimum.at(first, past.rows, past.arrival)
    return {
        "platform": np.where(used.sum(axis=1) > 1, "several", one),
        "activity": np.array(THIRDS, dtype=object)[np.searchsorted(bounds, engaged)],
        "newness": np.where(first > examples.as_of - NEW_USER_DAYS, "new", "known").astype(object),
    }


def items_by(served: Served, catalogue: Catalogue, as_of: int) -> dict[str, np.ndarray]:
    """[items] names of groups by platform, days since the item was first known, and decile of popularity."""
    age = as_of - catalogue.first_day
    week, month = NEW_DAYS
    decile = np.full(len(catalogue), UNKNOWN, dtype=object)
    ordered = by_popularity(served)
    decile[ordered] = [f"decile {1 + rank * DECILES // len(ordered):02d}" for rank in range(len(ordered))]
    ages = [f"up to {week} days", f"up to {month} days"]
    return {
        "platform": np.array(catalogue.platforms, dtype=object)[catalogue.platform],
        "age": np.select([age < week, age < month], ages, "older").astype(object),
        "popularity": decile,
    }


def columns_of(settings: Settings, catalogue: Catalogue, ds: str, pins: Pins) -> dict[str, np.ndarray]:
    """Column of `items` -> [items] its value, `unknown` where it is null."""
    names = settings.audited_items
    if not names:
        return {}
    _, rows = open_table(settings, ITEMS, ds, pins)
    table = rows.to_table(["item_id", *names])
    place = pc.index_in(catalogue.item_ids, value_set=table["item_id"].combine_chunks())
    return {name: _texts(table[name].combine_chunks().take(place)) for name in names}


def attributes_of(settings: Settings, users: pa.Array, ds: str, joined: str) -> dict[str, np.ndarray]:
    """Attribute -> [users] the value of the user's newest event up to `ds` that has it, `unknown` without any.

    Events of the last `TIDEMARK_ACTIVE_DAYS` days are read, one file at a time; `joined` is the day as of which
    accounts are persons, that of the examples.
    """
    names = settings.audited_users
    if not names:
        return {}
    first = shift(ds, 1 - settings.active_days)
    _, files = pinned_files(EVENTS.name, first, ds, settings)
    known = pc.field("known_ds").is_null() | (pc.field("known_ds") <= ds)
    keys = ["account_id", "event_time", "event_id"]
    parts: dict[str, list[pl.DataFrame]] = {name: [] for name in names}
    for file in files:
        rows = arrow_rows(EVENTS, [file], [*keys, "attributes"], known)
        for name in names:
            value = pc.map_lookup(rows["attributes"], pa.scalar(name), "first")
            frame = pl.from_arrow(rows.drop_columns("attributes").append_column("value", value))
            assert isinstance(frame, pl.DataFrame)
            parts[name].append(_newest(frame.drop_nulls("value"), "account_id"))
    persons, found = persons_as_of(settings, joined), {}
    for name in names:
        rows_of_name = pl.concat(parts[name]) if parts[name] else pl.DataFrame()
        if rows_of_name.is_empty():
            raise ModelError(
                f"TIDEMARK_AUDIT_USERS: expected attributes of events, found {name!r}, which no event of "
                f"{first}..{ds} has; correct it, or declare it in `attributes` of a source file"
            )
        newest = _newest(persons.of(rows_of_name), "user_id")
        place = pc.index_in(users, value_set=newest["user_id"].to_arrow().cast(users.type))
        found[name] = _texts(newest["value"].to_arrow().take(place))
    return found


def day_of(number: int) -> str:
    """The day of a number of days since 1970."""
    return (date(1970, 1, 1) + timedelta(days=number)).isoformat()


def _newest(rows: pl.DataFrame, key: str) -> pl.DataFrame:
    """Each key's last row; `event_id` breaks ties in time."""
    return rows.sort("event_time", "event_id").unique(key, keep="last", maintain_order=True)


def _texts(values: pa.Array) -> np.ndarray:
    return np.array([UNKNOWN if value is None else value for value in values.to_pylist()], dtype=object)
