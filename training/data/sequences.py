"""Users' event lists as ragged arrays of small integers: what models and rankers read."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.tables.registry import EVENT_TYPES
from training.data.arrow import Column, codes, day_numbers, floats, lengths, plain
from training.data.catalogue import Catalogue

KINDS = len(EVENT_TYPES)
ENGAGED = ("view", "cart", "favorite", "purchase")  # a next item is one that somebody interacts with
ENGAGED_KINDS = np.array([EVENT_TYPES.index(kind) for kind in ENGAGED])
GAPS = 28  # buckets of log2 seconds; the last starts at one year
PRICES = 20  # 0 = no price; buckets of log2 price

COLD_EVENTS = 3  # a user with fewer events with an item is a cold start


@dataclass(frozen=True)
class Sequences:
    """The events of row r are offsets[r] <= k < offsets[r + 1], oldest first.

    `item` is a catalogue position (-1 = none), `kind` an index of EVENT_TYPES, `gap` and `price` are buckets, `day` is
    the day (since 1970) on which it happened, `arrival` the day it landed; `log_price` and `log_quantity` are NaN where
    there is none; `said` is a position in `texts`, the distinct queries and reviews (-1 = none).
    """

    offsets: np.ndarray
    item: np.ndarray
    kind: np.ndarray
    gap: np.ndarray
    price: np.ndarray
    day: np.ndarray
    arrival: np.ndarray
    log_price: np.ndarray
    log_quantity: np.ndarray
    said: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))
    texts: pa.Array = field(default_factory=lambda: pa.array([], pa.string()))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @cached_property
    def rows(self) -> np.ndarray:
        """The row of each event."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    def events_of(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The events of `rows`: for each, its place in `rows` and its position."""
        size = (self.offsets[rows + 1] - self.offsets[rows]).astype(np.int64)
        place = np.repeat(np.arange(len(rows)), size)
        within = np.arange(len(place)) - np.repeat(np.cumsum(size) - size, size)
        return place, self.offsets[rows][place] + within

    @cached_property
    def engaged(self) -> np.ndarray:
        """Whether each event is an engagement with a known item."""
        return np.isin(self.kind, ENGAGED_KINDS) & (self.item >= 0)


def sequences(column: Column, catalogue: Catalogue) -> Sequences:
    """From a list column of tables.HISTORY_EVENTS."""
    lists = plain(column)
    offsets = np.concatenate([[0], np.cumsum(lengths(lists))]).astype(np.int64)
    events = lists.flatten()
    seconds = pc.struct_field(events, "event_time").cast(pa.int64()).to_numpy() // 1_000_000
    price = floats(pc.struct_field(events, "price"))
    return Sequences(
        offsets,
        catalogue.positions(pc.struct_field(events, "item_id")),
        codes(pc.struct_field(events, "event_type"), EVENT_TYPES).astype(np.int8),
        _gaps(seconds, offsets),
        np.where(price > 0, _log2_bucket(price, PRICES - 1) + 1, 0).astype(np.int8),
        (seconds // 86_400).astype(np.int32),
        day_numbers(pc.struct_field(events, "arrival_ds")),
        _logs(price),
        _logs(floats(pc.struct_field(events, "quantity"))),
        *_said(pc.struct_field(events, "text")),
    )


def _said(text: pa.Array) -> tuple[np.ndarray, pa.Array]:
    """Position of each event's text in the distinct ones, -1 where it is null or blank."""
    blank = pc.equal(pc.utf8_trim_whitespace(text), "")
    encoded = pc.if_else(blank, None, text).dictionary_encode()
    positions = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
    return positions.astype(np.int32), encoded.dictionary


def _logs(values: np.ndarray) -> np.ndarray:
    """Natural logs, NaN where there is nothing positive."""
    return np.log(np.where(values > 0, values, np.nan)).astype(np.float32)


def _gaps(seconds: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Bucket of the time since the row's previous event; 0 for its first event."""
    gap = np.diff(seconds, prepend=seconds[:1])
    starts = offsets[:-1][np.diff(offsets) > 0]
    gap[starts] = 0
    return _log2_bucket(np.maximum(gap, 0), GAPS).astype(np.int8)


def _log2_bucket(values: np.ndarray, buckets: int) -> np.ndarray:
    """floor(log2(1 + value)), at most `buckets` - 1."""
    return np.minimum(np.floor(np.log2(1 + values)), buckets - 1)


def cold_starts(past: Sequences) -> np.ndarray:
    """[rows] why a user is a cold start, None for one who is not.

    The lists are made from engagements: returns, reviews and impressions alone say nothing about them, however many
    there are.
    """
    found = np.full(len(past), None, dtype=object)
    read = items_read(past)
    found[read < COLD_EVENTS] = "few_events"
    found[np.bincount(past.rows[past.engaged], minlength=len(past)) == 0] = "no_engagement"
    found[read == 0] = "no_known_item"
    return found


def items_read(past: Sequences) -> np.ndarray:
    """[rows] number of events with an item of the catalogue."""
    return np.bincount(past.rows[past.item >= 0], minlength=len(past))
