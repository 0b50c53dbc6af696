"""What a user's newest events add to a head's log-odds: the head predicts again without them.

Events of one kind that landed on one day are removed together, as in the daily counts (occlusion, Zeiler and Fergus
2014). Nothing is approximated, but information that several of them share is not split: a second visit in the same week
can make the first one worth nothing.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from torch import Tensor

from pipeline.tables.registry import EVENT_TYPES
from training.data.arrow import Column, codes, day_numbers, kept, lengths, plain
from training.data.users import user_states
from training.model.predictor import Predictor
from training.propensity.plain_models import stack_inputs
from training.propensity.stack import SOURCES, sources

NEWEST = 6  # (kind, day) pairs of a user that are tried
# From this weight on, a head's transformer reads the history again; below it, its share is left out.
LEAST_WEIGHT = 0.2
KINDS, DAYS = 16, 100_000  # more than there are


@dataclass(frozen=True)
class Occluded:
    """What is removed in turn, newest first within a user."""

    row: np.ndarray
    kind: np.ndarray  # index of EVENT_TYPES
    day: np.ndarray  # of arrival, since 1970
    effect: np.ndarray  # [tried, heads asked about] log-odds


def newest(daily: Column, most: int = NEWEST) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row, kind and day of the `most` newest of each user."""
    found = np.unique(_codes(daily))
    row = found // (DAYS * KINDS)
    place = np.arange(len(row)) - np.searchsorted(row, row)
    back, kind = np.divmod(found % (DAYS * KINDS), KINDS)
    tried = place < most
    return row[tried], kind[tried], DAYS - 1 - back[tried]


def occlusion(predictor: Predictor, history: pa.Table, as_of: int, users: Tensor, heads: list[int]) -> Occluded:
    """Of rows of `user_history`; `users` are their vectors."""
    row, kind, day = newest(history["daily"])
    effect = np.zeros((len(row), len(heads)))
    if not len(row):
        return Occluded(row, kind, day, effect)
    deep = _reads_events(predictor, heads)
    with_all = _logits(predictor, history, as_of, heads, users, deep)
    for start in range(0, len(row), len(history)):
        tried = slice(start, start + len(history))
        cut = without(history, row[tried], kind[tried], day[tried], deep)
        left = _logits(predictor, cut, as_of, heads, None, deep)
        effect[tried] = with_all[row[tried]] - left
    return Occluded(row, kind, day, effect)


def without(history: pa.Table, row: np.ndarray, kind: np.ndarray, day: np.ndarray, events: bool = True) -> pa.Table:
    """The rows, each without what landed of one kind on one day; also without its `events`."""
    found = history.select(["user_id", "events", "daily"]).take(pa.array(row))
    gone = (np.arange(len(row)) * DAYS + (DAYS - 1 - day)) * KINDS + kind
    for name in ("daily", "events") if events else ("daily",):
        lists = plain(found[name])
        rest = kept(lists, ~np.isin(_codes(lists), gone))
        found = found.set_column(found.schema.get_field_index(name), name, rest)
    return found


def _codes(lists: Column) -> np.ndarray:
    """A sort key of each element: its row, then the newest day first, then the kind."""
    lists = plain(lists)
    rows, flat = np.repeat(np.arange(len(lists)), lengths(lists)), lists.flatten()
    day = day_numbers(pc.struct_field(flat, "arrival_ds")).astype(np.int64)
    kind = codes(pc.struct_field(flat, "event_type"), EVENT_TYPES)
    return (rows.astype(np.int64) * DAYS + (DAYS - 1 - day)) * KINDS + kind


def _reads_events(predictor: Predictor, heads: list[int]) -> bool:
    fitted = predictor.trained.fitted_propensities
    assert fitted is not None, "a finished model is calibrated"
    weights = [fitted.heads[head].mix for head in heads]
    return any(mix is not None and mix.weights[0] >= LEAST_WEIGHT for mix in weights)


def _logits(
    predictor: Predictor,
    history: pa.Table,
    as_of: int,
    heads: list[int],
    users: Tensor | None,
    deep: bool,
) -> np.ndarray:
    """[rows, heads asked about] log-odds, except for terms that do not depend on the events."""
    fitted, trained = predictor.trained.fitted_propensities, predictor.trained
    assert fitted is not None, "a finished model is calibrated"
    rows = np.arange(history.num_rows)
    states = user_states(history, np.full(len(rows), as_of, dtype=np.int32), predictor.catalogue)
    inputs = stack_inputs(states, rows)
    scaled = fitted.scale.apply(inputs)
    logits = np.zeros((len(rows), len(fitted.heads)))
    if deep:
        vectors = predictor.users(states, rows) if users is None else users
        logits = trained.head_logits(vectors, states.features)
    found = np.zeros((len(rows), len(heads)))
    for place, head in enumerate(heads):
        one = fitted.heads[head]
        if one.mix is not None:
            read = sources(one.plain, logits[:, head], inputs, scaled)
            assert read.shape[1] == len(SOURCES)
            found[:, place] = read @ np.array(one.mix.weights)
    return found
