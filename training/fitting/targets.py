"""From examples to the arrays of one training step."""

from dataclasses import dataclass, field

import numpy as np

from training.data.draws import uniform
from training.data.sequences import Sequences
from training.data.users import Examples
from training.network.presets import Preset

_DAYS = 100_000  # more than there are days, so that one number orders (row, day)


@dataclass(frozen=True)
class Targets:
    """Drawn later items: [rows, targets] position that predicts the item, the item, whether it counts."""

    position: np.ndarray
    item: np.ndarray
    counts: np.ndarray

    def only(self, rows: np.ndarray) -> "Targets":
        """The same targets, but only the marked rows count."""
        return Targets(self.position, self.item, self.counts & rows[:, None])


@dataclass
class TargetDraws:
    """Draws later items of rows; lookups are prepared once."""

    examples: Examples
    preset: Preset
    last_day: int  # nothing after it may be a target of a training row: the validation cut-off
    _past: "_Engaged" = field(init=False)
    _future: "_Engaged" = field(init=False)

    def __post_init__(self) -> None:
        self._past, self._future = _engaged(self.examples.past), _engaged(self.examples.future)

    def ahead(self, rows: np.ndarray, epoch: int, last_day: int = _DAYS) -> Targets:
        """Draws from the window after the cut-off, to be predicted from the newest event."""
        start = np.searchsorted(self._future.key, rows * _DAYS)
        end = np.searchsorted(self._future.key, rows * _DAYS + last_day, side="right")
        draw = self._uniform(rows, epoch, 1)
        chosen, counts = _choose(start[:, None], end[:, None], draw)
        read = np.minimum(np.diff(self.examples.past.offsets)[rows], self.preset.events)
        position = np.broadcast_to(read[:, None], chosen.shape)
        return Targets(position, self._future.at(chosen), counts)

    def within(self, rows: np.ndarray, epoch: int) -> Targets:
        """Draws from the days after a drawn event of the history itself."""
        past, preset = self.examples.past, self.preset
        end = past.offsets[rows + 1][:, None]
        read = np.minimum(end - past.offsets[rows][:, None], preset.events)
        place, has_event = _choose(end - read, end, self._uniform(rows, epoch, 2))
        day = past.day[np.minimum(place, len(past.day) - 1)] if len(past.day) else place * 0
        key = rows[:, None] * _DAYS + day
        low = np.searchsorted(self._past.key, key, side="right")
        high = np.searchsorted(self._past.key, key + preset.target_days, side="right")
        chosen, counts = _choose(low, high, self._uniform(rows, epoch, 3))
        position = np.where(has_event, place - (end - read) + 1, 0)
        return Targets(position, self._past.at(chosen), counts & has_event)

    def training(self, rows: np.ndarray, epoch: int) -> Targets:
        """`ahead` for rows of the train fold; `within` for the others, whose future is hidden."""
        ahead, within = self.ahead(rows, epoch, self.last_day), self.within(rows, epoch)
        is_train = self.examples.is_train[rows][:, None]
        pairs = zip(vars(ahead).values(), vars(within).values(), strict=True)
        return Targets(*(np.where(is_train, left, right) for left, right in pairs))

    def _uniform(self, rows: np.ndarray, epoch: int, purpose: int) -> np.ndarray:
        slots = np.arange(self.preset.targets)[None, :]
        return uniform(self.preset.seed, purpose, epoch, self.examples.key[rows][:, None], slots)


@dataclass(frozen=True)
class _Engaged:
    """Engaged events only, in the order of `key` = (row, day)."""

    key: np.ndarray
    item: np.ndarray

    def at(self, chosen: np.ndarray) -> np.ndarray:
        if not len(self.item):
            return np.zeros_like(chosen)
        return self.item[np.minimum(chosen, len(self.item) - 1)]


def _engaged(events: Sequences) -> _Engaged:
    keep = events.engaged
    key = events.rows[keep] * _DAYS + events.day[keep]
    order = np.argsort(key, kind="stable")
    return _Engaged(key[order], events.item[keep][order])


def _choose(low: np.ndarray, high: np.ndarray, draw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A place in [low, high) for each draw, and whether there is one."""
    span = np.maximum(high - low, 0)
    return low + np.floor(draw * span).astype(np.int64), np.broadcast_to(span > 0, draw.shape)


@dataclass(frozen=True)
class Negatives:
    """What a target competes with: all known items if there are few, else a sample."""

    positions: np.ndarray  # catalogue positions of the known items
    frequency: np.ndarray
    preset: Preset

    def of_step(self, epoch: int, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Catalogue positions, and the log of how often each was expected (0 when none is drawn).

        Half are drawn by frequency (hard negatives), half uniformly (which reaches rare items): mixed negatives.
        """
        known, drawn = len(self.positions), self.preset.negatives
        if known <= self.preset.full_softmax:
            return self.positions, np.zeros(known, dtype=np.float32)
        share = 0.5 * self.frequency / self.frequency.sum() + 0.5 / known
        draws = uniform(self.preset.seed, 4, epoch, step, np.arange(drawn))
        chosen = np.minimum(np.searchsorted(np.cumsum(share), draws, side="right"), known - 1)
        return self.positions[chosen], np.log(drawn * share[chosen]).astype(np.float32)
