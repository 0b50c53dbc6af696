"""Reason codes as columns of `user_features`."""

import numpy as np
import pyarrow as pa
from torch import Tensor

from pipeline.runtime.near_ties import settled
from pipeline.tables.columns import BECAUSE, PROPENSITY_REASONS
from pipeline.tables.registry import EVENT_TYPES
from training.data.users import HEADS, UserStates
from training.model.lists import Lists
from training.model.predictor import Asked, Predictor
from training.propensity.plain_models import stack_inputs
from training.scoring.first_days import FirstDays
from training.scoring.reasons.effects import feature_effects, feature_names
from training.scoring.reasons.occlusion import occlusion
from training.scoring.reasons.own_items import effects

ENTRIES = 10  # of a list that are explained
ITEMS = 3  # own items per entry
# Reasons for one week hardly differ from those for four weeks, and trees take time to explain.
EXPLAINED = [HEADS.index(head) for head in HEADS if head.endswith("_28d")]
FEATURES, EVENTS = 3, 2  # per head

LEAST = 0.005  # log-odds: less is not a reason
NEAR = 2.0**-14  # log-odds: effects closer than this are equal, since kernels differ by as much by 2^-17
NOISE = 5e-6  # of LEAST itself


def because(predictor: Predictor | FirstDays, asked: Asked, ranked: Lists, name: str) -> pa.Array:
    """Per user, for the first entries of the list: the user's own items that moved each entry most."""
    top = np.flatnonzero(ranked.place < ENTRIES)
    entry, item, effect = [np.zeros(0, int)], [np.zeros(0, int)], [np.zeros(0)]
    for number, part in enumerate(asked.every):
        mine = top[ranked.part[top] == number]
        market = predictor.markets[part.platform]
        fitted = predictor.rankers.of(part.platform, name)
        for found in effects(part, market, fitted, ranked.at[mine]):
            best = strongest(found.entry, found.item, found.effect, ITEMS)
            entry.append(mine[found.entry[best]])
            item.append(found.item[best])
            effect.append(levelled(found.entry, found.effect)[best])
    entries = np.concatenate(entry)
    order = np.argsort(entries, kind="stable")
    entries, ids = entries[order], predictor.catalogue.item_ids
    columns = [
        ids.take(pa.array(ranked.item[entries])),
        ids.take(pa.array(np.concatenate(item)[order])),
        pa.array(np.concatenate(effect)[order].astype(np.float32)),
    ]
    return _listed(ranked.rows[entries], asked.users, columns, BECAUSE)


def propensity_reasons(
    predictor: Predictor | FirstDays, history: pa.Table, states: UserStates, users: Tensor
) -> pa.Array:
    """Per user and explained head: the features and then the events that moved it most; nothing without a model."""
    if isinstance(predictor, FirstDays):
        return pa.array([[]] * len(states), PROPENSITY_REASONS)
    inputs = stack_inputs(states, np.arange(len(states)))
    as_of = int(states.as_of[0]) if len(states) else 0
    tried = occlusion(predictor, history, as_of, users, EXPLAINED)
    names = pa.array(feature_names())
    row, effect = [], []
    head: list[str] = []
    kind: list[str] = []
    name: list[str] = []
    for place, number in enumerate(EXPLAINED):
        of_features = feature_effects(predictor, number, users, inputs)
        group, what = np.divmod(np.arange(of_features.size), len(names))
        best = strongest(group, what, of_features.ravel(), FEATURES)
        row.append(group[best])
        name += names.take(pa.array(what[best])).to_pylist()
        effect.append(levelled(group, of_features.ravel())[best])
        kind += ["feature"] * len(best)
        best = strongest(tried.row, -tried.day, tried.effect[:, place], EVENTS)
        row.append(tried.row[best])
        name += _event_names(tried.kind[best], tried.day[best])
        effect.append(levelled(tried.row, tried.effect[:, place])[best])
        kind += ["event"] * len(best)
        head += [HEADS[number]] * (len(kind) - len(head))
    rows = np.concatenate(row)
    order = np.argsort(rows, kind="stable")
    texts = [pa.array(texts, pa.string()).take(pa.array(order)) for texts in (head, kind, name)]
    numbers = pa.array(np.concatenate(effect)[order].astype(np.float32))
    return _listed(rows[order], len(states), [*texts, numbers], PROPENSITY_REASONS)


def _event_names(kind: np.ndarray, day: np.ndarray) -> list[str]:
    """`purchase 2011-11-02`: the event type, and the day on which it landed."""
    dates = day.astype("datetime64[D]").astype(str)
    return [f"{EVENT_TYPES[k]} {date}" for k, date in zip(kind, dates, strict=True)]


def _listed(rows: np.ndarray, users: int, columns: list[pa.Array], kind: pa.ListType) -> pa.Array:
    """A list of structs per user; `rows` is sorted."""
    offsets = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=users))])
    entries = pa.StructArray.from_arrays(columns, fields=list(kind.value_type))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), entries)


def levelled(group: np.ndarray, effect: np.ndarray) -> np.ndarray:
    """The effects, with sizes that count as equal made equal: reasons are published in order of size."""
    return np.copysign(settled(np.abs(effect), NEAR, group), effect)


def strongest(group: np.ndarray, tie: np.ndarray, effect: np.ndarray, most: int) -> np.ndarray:
    """Places of the `most` largest effects of each group, by group, then size; ties by `tie`."""
    size = np.abs(effect)
    kept = np.flatnonzero(size >= LEAST - NOISE)
    size = settled(size[kept], NEAR, group[kept])
    order = kept[np.lexsort((tie[kept], -size, group[kept]))]
    ordered = group[order]
    place = np.arange(len(order)) - np.searchsorted(ordered, ordered)
    return order[place < most]
