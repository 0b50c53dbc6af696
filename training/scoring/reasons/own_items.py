"""Which of a user's own items moved an entry of a published list, by the blend.

An item that the user engaged with affects an entry in two ways:
- through item-item scores, which are sums over own items: what each adds is known exactly, and the
  change of the blend follows from its gradient (input times gradient, Shrikumar et al. 2017, with
  the change of the input in place of the input);
- as the entry itself, a repeat: then the blend scores it again without the features of own use.

The user's best candidate, tempo and basket, the other entries, and the transformer are held fixed: its share of the
order is small (docs/notebook/ranking.md), and attributing it costs more than scoring.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from training.ranking.blend import Blend
from training.ranking.candidates import Reading, readings
from training.ranking.features import is_of_own_use
from training.ranking.item_item import cells
from training.ranking.market import Market
from training.ranking.moments import Part
from training.ranking.order import Fitted, Moment

PAIRS = 200_000  # entries x own items that are held at once
FLOOR = 0.02  # of the logs of shares, as in features.py


@dataclass(frozen=True)
class Effects:
    """One row per entry and own item: what the item adds to the entry's log-odds."""

    entry: np.ndarray  # place among the entries asked about
    item: np.ndarray  # catalogue position of the own item
    effect: np.ndarray


def effects(part: Part, market: Market, fitted: Fitted, at: np.ndarray) -> Iterator[Effects]:
    """For the candidates `at` of a part: every own item of their users, in chunks of entries."""
    moment, pairs = part.moment, part.own.pairs
    row = moment.found.row[at]
    first, last = np.searchsorted(pairs.row, row), np.searchsorted(pairs.row, row, side="right")
    blend, weight = fitted.ranker.blend, fitted.mixture.weights[part.group[row], 0]
    slopes = _slopes(blend, moment, at)
    alone = _as_repeats(blend, moment, at)
    best = {name: _best(moment.found.scores[name], moment.found.row) for name in slopes}
    column = _columns(market, pairs.item)
    read = readings(part.own, market)
    strength = {name: _strength(read[name], pairs.row, column) for name in slopes}
    for chunk in _chunks(last - first):
        size = (last - first)[chunk]
        entry = np.repeat(chunk, size)
        pair = np.arange(len(entry)) - np.repeat(np.cumsum(size) - size, size) + first[entry]
        candidate, change = at[entry], np.zeros(len(entry))
        for name, slope in slopes.items():
            to = moment.found.column[candidate]
            into = strength[name][pair] * _weights(read[name], column[pair], to)
            score, most = moment.found.scores[name][candidate], best[name][row[entry]]
            with_it, without = (_share(x, most) for x in (score, score - into))
            change += slope.share[entry] * (with_it - without)
            change += slope.log[entry] * np.log((with_it + FLOOR) / (without + FLOOR))
        repeat = pairs.item[pair] == moment.found.item[candidate]
        change = np.where(repeat, alone[entry], change) * weight[entry]
        yield Effects(entry, pairs.item[pair], change)


@dataclass(frozen=True)
class Slope:
    """[entries] how fast the blend grows with a score's share of the best, and with its log."""

    log: np.ndarray
    share: np.ndarray


def _slopes(blend: Blend, moment: Moment, at: np.ndarray) -> dict[str, Slope]:
    """Slopes by item-item ranker that the blend reads."""
    x = torch.from_numpy(moment.x[at]).requires_grad_()
    gradient = torch.autograd.grad(blend(x).sum(), x)[0].numpy() if len(at) else moment.x[at]
    place = {name: k for k, name in enumerate(moment.names)}
    found = {}
    for name in moment.found.scores:
        log, share = ("text_near", "text_share") if name == "text" else (f"log_{name}", f"share_{name}")
        if log not in place:
            continue
        through = gradient[:, place[log]].copy()
        value = moment.x[at, place[log]]
        for product in (p for p in place if p.startswith(f"{log}*")):  # value x a trait of the user
            trait = np.divide(moment.x[at, place[product]], value, out=np.zeros_like(value), where=np.abs(value) > 1e-6)
            through += gradient[:, place[product]] * trait
        found[name] = Slope(through, gradient[:, place[share]])
    return found


def _as_repeats(blend: Blend, moment: Moment, at: np.ndarray) -> np.ndarray:
    """[entries] what the features of own use add to the blend."""
    x = torch.from_numpy(moment.x[at])
    without = x.clone()
    without[:, [k for k, name in enumerate(moment.names) if is_of_own_use(name)]] = 0
    with torch.inference_mode():
        return (blend(x) - blend(without)).numpy()


def _strength(reading: Reading, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """[own pairs] how much each counts, 0 outside the core."""
    inside = column >= 0
    found = np.zeros(len(row))
    found[inside] = cells(reading.rows, row[inside], column[inside])
    return found


def _weights(reading: Reading, own: np.ndarray, to: np.ndarray) -> np.ndarray:
    """[pairs] weights from one place of the core to another, 0 where one of them is outside the weights."""
    if reading.places is not None:
        place = np.full(reading.rows.shape[1] + 1, -1)  # the last is read by -1
        place[reading.places] = np.arange(len(reading.places))
        own, to = place[own], place[to]
    known = (own >= 0) & (to >= 0)
    found = np.zeros(len(own))
    found[known] = cells(reading.weights, own[known], to[known])
    return found


def _share(score: np.ndarray, best: np.ndarray) -> np.ndarray:
    return np.maximum(score, 0) / best


def _best(scores: np.ndarray, row: np.ndarray) -> np.ndarray:
    """[users] the best score of each user's candidates, above 0; `row` is sorted."""
    found = np.full(int(row.max(initial=-1)) + 1, 1e-9)
    if len(row):
        starts = np.flatnonzero(np.diff(row, prepend=-1))
        found[row[starts]] = np.maximum(np.maximum.reduceat(scores, starts), 1e-9)
    return found


def _columns(market: Market, item: np.ndarray) -> np.ndarray:
    """Places in the core, -1 outside."""
    place = np.searchsorted(market.core, item)
    inside = np.append(market.core, -1)[place] == item
    return np.where(inside, place, -1)


def _chunks(size: np.ndarray) -> Iterator[np.ndarray]:
    """Places of entries, split where their pairs would be too many to hold."""
    number = np.cumsum(size) // PAIRS
    for chunk in np.unique(number):
        yield np.flatnonzero(number == chunk)
