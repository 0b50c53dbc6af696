"""Scores of users: rows of SCORED_USERS from rows of `user_history`."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from pipeline.runtime.days import shift
from pipeline.tables.features import SCORED_USERS
from pipeline.tables.registry import NEXT_ITEMS
from training.data.arrow import Column, day_number, kept, lengths, plain
from training.data.sequences import COLD_EVENTS, cold_starts, items_read, sequences
from training.data.users import HEADS, UserStates, user_states
from training.model.lists import LISTS, REASONS, Lists
from training.model.predictor import Predictor
from training.scoring.first_days import FirstDays
from training.scoring.reasons.columns import because, propensity_reasons

SCORED = pa.struct([("item_id", pa.string()), ("score", pa.float32())])

DAYS = 28


def score_users(history: pa.Table, ds: str, version: str, predictor: Predictor | FirstDays) -> pa.Table:
    """One row of features per row of history, as known at the end of `ds`."""
    as_of = np.full(history.num_rows, day_number(ds), dtype=np.int32)
    states = user_states(history, as_of, predictor.catalogue)
    rows = np.arange(len(states))
    users = predictor.users(states, rows)
    chances = predictor.propensities(users, states, rows)
    asked = predictor.asked(states, rows, users)
    lists = {name: predictor.listed(asked, name, NEXT_ITEMS) for name in LISTS}
    columns = {
        "ds": pa.array([ds] * len(rows), pa.string()),
        "model_version": pa.array([version] * len(rows), pa.string()),
        "model_ds": pa.array([predictor.model_ds] * len(rows), pa.string()),
        **{name: history[name] for name in ("user_id", "platforms")},
        "first_ds": _days_before(as_of, states.counts.tenure),
        "last_ds": _days_before(as_of, states.counts.recency),
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
        "propensity_basis": pa.array([predictor.basis] * len(rows), pa.string()),
        **{f"p_{head}": pa.array(chances[:, place]) for place, head in enumerate(HEADS)},
    }
    return pa.table(columns).select(SCORED_USERS.schema.names).cast(SCORED_USERS.schema)


def _days_before(as_of: np.ndarray, days: np.ndarray) -> pa.Array:
    return pa.array((as_of - days).astype("datetime64[D]").astype(str))


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


def _unknown(ranked: Lists, predictor: Predictor | FirstDays) -> pa.Array:
    """Entries of each list whose item is known by its text alone."""
    unknown = predictor.by_text_alone()[ranked.item]
    users = len(ranked.offsets) - 1
    return pa.array(np.bincount(ranked.rows[unknown], minlength=users).astype(np.int32))


def _items(ranked: Lists, predictor: Predictor | FirstDays) -> pa.Array:
    """The published list of each user; shorter only if there are no more items to list."""
    items = predictor.catalogue.item_ids.take(pa.array(ranked.item))
    entries = pa.StructArray.from_arrays([items, pa.array(ranked.score)], fields=list(SCORED))
    return pa.ListArray.from_arrays(pa.array(ranked.offsets, pa.int32()), entries)


def _reasons(ranked: Lists) -> pa.Array:
    """What moved each entry of the list, in its order."""
    columns = [pa.array(column) for column in ranked.reasons.T.astype(np.float32)]
    entries = pa.StructArray.from_arrays(columns, names=list(REASONS))
    return pa.ListArray.from_arrays(pa.array(ranked.offsets, pa.int32()), entries)


def _vectors(vectors: np.ndarray) -> pa.Array:
    rows, width = vectors.shape
    offsets = pa.array(np.arange(rows + 1) * width, pa.int32())
    return pa.ListArray.from_arrays(offsets, pa.array(vectors.ravel()))


def embedding_drift(history: pa.Table, ds: str, predictor: Predictor | FirstDays, users: Tensor) -> pa.Array:
    """[rows] cosine distances; `users` are the vectors of the rows of `user_history` at `ds`.

    0 if nothing came since, null if no listed event was known then.
    """
    then = known_by(history["events"], shift(ds, -DAYS))
    size, was = lengths(history["events"]), lengths(then)
    found = np.zeros(len(then), dtype=np.float32)
    moved = np.flatnonzero((was > 0) & (was < size))
    if len(moved):
        past = sequences(then.take(pa.array(moved)), predictor.catalogue)
        before = predictor.vectors(past, np.arange(len(moved)))
        now = users[torch.from_numpy(moved).to(users.device)]
        cosine = torch.cosine_similarity(now.double(), before.double(), dim=1)
        found[moved] = (1 - cosine).clamp(0, 2).cpu().numpy()
    return pa.array(found, mask=was == 0)


def known_by(events: Column, ds: str) -> pa.ListArray:
    """A list column of events, without those that arrived after `ds`."""
    lists = plain(events)
    known = pc.less_equal(pc.struct_field(lists.flatten(), "arrival_ds"), ds)
    return kept(lists, known.to_numpy(zero_copy_only=False))
