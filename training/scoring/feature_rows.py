"""What the model says of users: rows of SCORED_USERS from rows of `user_history`."""

import numpy as np
import pyarrow as pa

from pipeline.tables.features import SCORED_USERS
from pipeline.tables.registry import NEXT_ITEMS
from training.data.arrow import day_number
from training.cold_start import COLD_EVENTS, cold_starts, items_read
from training.embedding_drift import embedding_drift
from training.data.users import HEADS
from training.model.lists import LISTS, REASONS, Ranked
from training.model.predictor import Predictor
from training.scoring.reasons.columns import because, propensity_reasons
from training.states import UserStates, user_states

SCORED = pa.struct([("item_id", pa.string()), ("score", pa.float32())])


def score_users(history: pa.Table, ds: str, version: str, predictor: Predictor) -> pa.Table:
    """One row of features per row of history, as known at the end of `ds`."""
    as_of = np.full(history.num_rows, day_number(ds), dtype=np.int32)
    states = user_states(history, as_of, predictor.catalogue)
    rows = np.arange(len(states))
    users = predictor.users(states, rows)
    chances = predictor.trained.propensities(users, states, rows)
    asked = predictor.asked(states, rows, users)
    lists = {name: predictor.listed(asked, name, NEXT_ITEMS) for name in LISTS}
    columns = {
        "ds": pa.array([ds] * len(rows), pa.string()),
        "model_version": pa.array([version] * len(rows), pa.string()),
        "model_ds": pa.array([predictor.trained.card.ds] * len(rows), pa.string()),
        **{name: history[name] for name in ("user_id", "platforms", "first_ds", "last_ds")},
        **_counts(states),
        "is_cold_start": pa.array(items_read(states.past) < COLD_EVENTS),
        "embedding": _vectors(users.float().cpu().numpy()),
        "embedding_drift": embedding_drift(history, ds, predictor, users),
        **{name: _items(lists[name], predictor) for name in LISTS},
        **{f"{name}_reasons": _reasons(lists[name]) for name in LISTS},
        **{f"{name}_because": because(predictor, asked, lists[name], name) for name in LISTS},
        **{f"{name}_cold": _unknown(lists[name], predictor) for name in LISTS},
        "cold_start": pa.array(cold_starts(states.past), pa.string()),
        "propensity_reasons": propensity_reasons(predictor, history, states, users),
        **{f"p_{head}": pa.array(chances[:, place]) for place, head in enumerate(HEADS)},
    }
    return pa.table(columns).select(SCORED_USERS.schema.names).cast(SCORED_USERS.schema)


def _counts(states: UserStates) -> dict[str, pa.Array]:
    counts = states.counts
    whole = {
        "recency_days": counts.recency,
        "active_days_28d": counts.active_days[:, 2],
        "events_7d": counts.count("events", 7),
        "events_28d": counts.count("events", 28),
        "views_28d": counts.count("view", 28),
        "carts_28d": counts.count("cart", 28),
        "purchases_28d": counts.count("purchase", 28),
        "returns_28d": counts.count("return", 28),
        "events_365d": counts.count("events", 365),
        "purchases_365d": counts.count("purchase", 365),
    }
    columns = {name: pa.array(values.astype(np.int32)) for name, values in whole.items()}
    spend = {"spend_28d": counts.spend[:, 2], "spend_365d": counts.spend[:, 4]}
    return columns | {name: pa.array(values) for name, values in spend.items()}


def _unknown(ranked: Ranked, predictor: Predictor) -> pa.Array:
    """Entries of each list whose item has no id of its own."""
    unknown = predictor.trained.vocabulary.ids(predictor.catalogue)[ranked.item] == 0
    users = len(ranked.offsets) - 1
    return pa.array(np.bincount(ranked.rows[unknown], minlength=users).astype(np.int32))


def _items(ranked: Ranked, predictor: Predictor) -> pa.Array:
    """The published list of each user; shorter only where there are no more items to name."""
    items = predictor.catalogue.item_ids.take(pa.array(ranked.item))
    entries = pa.StructArray.from_arrays([items, pa.array(ranked.score)], fields=list(SCORED))
    return pa.ListArray.from_arrays(pa.array(ranked.offsets, pa.int32()), entries)


def _reasons(ranked: Ranked) -> pa.Array:
    """What moved each entry of the list, in its order."""
    columns = [pa.array(column) for column in ranked.reasons.T.astype(np.float32)]
    entries = pa.StructArray.from_arrays(columns, names=list(REASONS))
    return pa.ListArray.from_arrays(pa.array(ranked.offsets, pa.int32()), entries)


def _vectors(vectors: np.ndarray) -> pa.Array:
    rows, width = vectors.shape
    offsets = pa.array(np.arange(rows + 1) * width, pa.int32())
    return pa.ListArray.from_arrays(offsets, pa.array(vectors.ravel()))
