"""Join rows about users with their features as they were known then.

    home = pipeline.open()
    home.as_of(labels, columns=["recency_days", "p_purchase_7d"])    # Arrow

`labels` is a pandas, Polars (lazy too) or Arrow frame with `user_id`, `event_timestamp` and whatever else; its rows and
their order do not change. Times need a time zone, in every column. docs/guides/read-features.md says what "known then"
means.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from pipeline.features.known_rows import FEATURE_DS, Found, known_rows
from pipeline.runtime.errors import UsageError
from pipeline.runtime.frames import arrow_of, instants, plain, refuse_naive
from pipeline.runtime.settings import Settings, load_settings
from pipeline.tables.registry import table_named
from pipeline.tables.schema import STRING, Table

MAX_AGE = timedelta(days=7)


def as_of(
    entity_df: Any,
    columns: Sequence[str] | None = None,
    *,
    known: Literal["day", "publication"] = "day",
    max_age: timedelta | None = MAX_AGE,
    delay: timedelta | None = None,
    hindsight: bool = False,
    time: str = "event_timestamp",
    table: str = "user_features",
    settings: Settings | None = None,
) -> pa.Table:
    """The entity frame with `feature_ds` and the features (all, or `columns`) of the newest day that was known at each
    row's time; null where none was, or the user had no row.

    known: "day" takes a day as known `delay` after its end in all zones, as it is published now (by default
    TIDEMARK_SERVING_DELAY_HOURS, within which a night serves); "publication" takes what had been published by then, as
    it was published then. max_age: from the end of the feature day to the row's time; older
    features are null. hindsight: allow features of a model that was trained for a later day than they are of.

    Raises UsageError for a frame or columns that do not fit, LeakError for hindsight that was not asked for,
    NotPublishedError when nothing was published, or a snapshot needed has expired.
    """
    settings = settings or load_settings()
    declared = table_named(table)
    entities, wanted = _entities(entity_df, time), _wanted(declared, columns)
    _refuse_collisions(entities, [FEATURE_DS, *wanted])
    rows = known_rows(settings, declared, known, delay, hindsight)
    users, times = plain(entities["user_id"]).cast(STRING), plain(entities[time])
    states = rows.states(instants(times, time, "entity_df", UsageError), max_age)
    joined = _joined(declared, wanted, states, rows.found(users, states, wanted))
    for name in joined.schema.names:
        entities = entities.append_column(joined.field(name), joined[name])
    return entities


def _entities(entity_df: Any, time: str) -> pa.Table:
    entities = arrow_of(entity_df, "entity_df", UsageError)
    lacking = [name for name in ("user_id", time) if name not in entities.schema.names]
    if lacking:
        raise UsageError(
            f"entity_df: expected the columns user_id and {time}, found no {', '.join(lacking)} among "
            f"{', '.join(entities.schema.names)}; rename them, and make columns of an index (reset_index)"
        )
    refuse_naive(entities, "entity_df", UsageError)
    users, kind = plain(entities["user_id"]).type, plain(entities[time]).type
    if not (pa.types.is_string(users) or pa.types.is_null(users)):
        raise UsageError(
            f"entity_df: expected user_id as text, found {users}; ids are 32 hexadecimal characters, see `user`"
        )
    if not pa.types.is_timestamp(kind) and not (pa.types.is_null(kind) and not entities.num_rows):
        raise UsageError(
            f"entity_df: expected {time} as timestamps with a time zone, found {kind}; without a "
            "zone it is unknown which day was over"
        )
    return entities.replace_schema_metadata(None)


def _wanted(table: Table, columns: Sequence[str] | None) -> list[str]:
    names = [c.name for c in table.columns if c.name not in ("ds", "user_id")]
    if "user_id" not in table.schema.names or not table.snapshot:
        raise UsageError(f"table: expected one with a state per user, found {table.name!r}")
    unknown = sorted(set(columns or ()) - set(names))
    if unknown:
        raise UsageError(f"columns: {table.name} has no {', '.join(unknown)}; see docs/reference/features.md")
    return names if columns is None else list(dict.fromkeys(columns))


def _refuse_collisions(entities: pa.Table, names: list[str]) -> None:
    both = [name for name in names if name in entities.schema.names]
    if both:
        raise UsageError(
            f"entity_df: has columns named as features: {', '.join(both)}; rename them, or leave them out of `columns`"
        )


def _joined(table: Table, wanted: list[str], states: np.ndarray, found: Iterable[Found]) -> pa.Table:
    """[rows of the frame] `feature_ds` and the features, null where nothing was found."""
    fields = [pa.field(FEATURE_DS, STRING), *(pa.field(n, table.column(n).type) for n in wanted)]
    parts = [pa.schema(fields).empty_table()]
    places, size = np.full(len(states), -1), 0
    for part in found:
        places[part.rows] = size + np.arange(len(part.rows))
        size += len(part.rows)
        days = pa.array([part.ds] * len(part.rows), STRING)
        parts.append(pa.table([days, *part.features.select(wanted).columns], names=parts[0].schema.names))
    return pa.concat_tables(parts).take(pa.array(places, mask=places < 0))
