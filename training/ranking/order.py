"""Fit the blend of one list on finished windows, and score users with it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from pipeline.runtime.errors import ModelError
from pipeline.runtime.near_ties import LOG_ODDS, settled
from training.ranking.blend import FAR, Blend, Effort, Groups, fit_blend, groups, linear_blend
from training.ranking.candidates import Candidates, candidates
from training.ranking.engagements import Engagements
from training.ranking.features import SOURCES, design, source
from training.ranking.market import Market
from training.ranking.mixture import Mixture

REPEATS = Effort(hidden=48, epochs=24, weight_decay=0.3, kept=30)
NEW_ONLY = Effort(hidden=16, epochs=10, weight_decay=0.05, kept=60)

ANY = "*"  # platforms with too few finished windows of their own
FILE = "ranking.safetensors"


@dataclass(frozen=True)
class Moment:
    """Users at one moment: their candidates, and the candidates' features."""

    found: Candidates
    x: np.ndarray  # [candidates, features]
    names: list[str]  # of the features
    touched: np.ndarray  # [candidates] whether the user's history holds the item at all

    @classmethod
    def of(cls, mine: Engagements, market: Market, allowed: np.ndarray) -> "Moment":
        """`allowed` [items] says which items may be listed."""
        found = candidates(mine, market, allowed)
        return cls(found, *design(found, mine, market), found.seen)

    def may(self, new_only: bool) -> np.ndarray:
        """[candidates] whether each may be in the list."""
        return ~self.touched if new_only else np.ones(len(self.touched), dtype=bool)


@dataclass(frozen=True)
class Finished:
    """A moment whose window has ended, so its hits are known."""

    moment: Moment
    hit: np.ndarray  # [candidates]


@dataclass(frozen=True)
class ListOrder:
    """The order of one list: all candidates by `first`, then the best of them by `blend`."""

    first: Blend
    blend: Blend
    kept: int
    new_only: bool

    def scores(self, moment: Moment) -> np.ndarray:
        """[candidates] scores; -inf for those that may not be in the list."""
        x = torch.from_numpy(moment.x)
        with torch.inference_mode():
            first = self.first(x).numpy()
            final = first - FAR  # outside the short list: the linear order, below it
            keep = shortlist(moment, first, self.kept, self.new_only)
            final[keep] = self.blend(x[torch.from_numpy(keep)]).numpy()
        return np.where(moment.may(self.new_only), final, -np.inf)

    def contributions(self, moment: Moment, picked: np.ndarray) -> np.ndarray:
        """[picked, SOURCES] what each source adds to the linear part of the score.

        Against a candidate that is average in every feature.
        """
        with torch.inference_mode():
            z = self.blend.z(torch.from_numpy(moment.x[picked]))
            parts = (z * self.blend.linear.mean(0)).numpy()
        of = np.array([SOURCES.index(source(name)) for name in moment.names])
        return np.stack([parts[:, of == k].sum(axis=1) for k in range(len(SOURCES))], axis=1)


def fit_ranker(windows: list[Finished], new_only: bool, effort: Effort, seed: int) -> ListOrder | None:
    """Fits on the candidates of users at several moments; None if no user had a hit."""
    everything = [np.flatnonzero(w.moment.may(new_only)) for w in windows]
    rows = _stacked(windows, everything)
    if not rows.count:
        return None
    first = linear_blend(rows, effort)
    short = []
    for window in windows:
        with torch.inference_mode():
            scores = first(torch.from_numpy(window.moment.x)).numpy()
        short.append(shortlist(window.moment, scores, effort.kept, new_only))
    rows = _stacked(windows, short)
    blend = fit_blend(rows, first, effort, seed) if rows.count else first
    return ListOrder(first, blend, effort.kept, new_only)


def shortlist(moment: Moment, scores: np.ndarray, kept: int, new_only: bool) -> np.ndarray:
    """Sorted positions of the users' own items (unless `new_only`) and the `kept` best others."""
    found, seen = moment.found, moment.found.seen
    order = np.lexsort((found.item, -settled(scores, LOG_ODDS, found.row), seen, found.row))
    order = order[moment.may(new_only)[order]]
    row = found.row[order]
    starts = np.flatnonzero(np.diff(row, prepend=-1))
    size = np.diff(np.append(starts, len(row)))
    place = np.arange(len(row)) - np.repeat(starts, size)  # new items come before own ones
    best = ~seen[order] & (place < kept)
    return np.sort(order[best if new_only else best | seen[order]])


def _stacked(windows: list[Finished], keep: list[np.ndarray]) -> Groups:
    base, parts = 0, []
    for window, rows in zip(windows, keep, strict=True):
        row = window.moment.found.row
        parts.append((window.moment.x[rows], window.hit[rows], row[rows] + base))
        base += int(row.max(initial=0)) + 1
    x, hit, group = (np.concatenate(part) for part in zip(*parts, strict=True))
    return groups(x, hit, group)


@dataclass(frozen=True)
class Fitted:
    """The order of one list on one platform."""

    ranker: ListOrder
    mixture: Mixture


@dataclass(frozen=True)
class Rankers:
    """(platform or ANY, list) -> its order. `features` names what the blends read, in order."""

    fitted: dict[tuple[str, str], Fitted]
    features: list[str]

    def of(self, platform: str, name: str) -> Fitted:
        """The order of the platform, or that of all platforms together."""
        return self.fitted.get((platform, name)) or self.fitted[ANY, name]

    def check(self, features: list[str]) -> None:
        """Raises ModelError if this code has other features than the blends were fitted on."""
        if features != self.features:
            odd = sorted(set(features) ^ set(self.features))
            raise ModelError(
                f"{FILE}: expected {len(features)} features, found {len(self.features)} "
                f"({', '.join(odd[:5])}); the model is of another release, train again"
            )


def save_rankers(rankers: Rankers, folder: Path) -> None:
    """Writes FILE: tensors named `<platform>/<list>/<part>/<parameter>`."""
    tensors = {}
    for (platform, name), fitted in rankers.fitted.items():
        for part in ("first", "blend"):
            for parameter, value in getattr(fitted.ranker, part).state_dict().items():
                tensors[f"{platform}/{name}/{part}/{parameter}"] = value.contiguous().clone()
        tensors[f"{platform}/{name}/mixture"] = torch.tensor(fitted.mixture.weights)
        kept = [fitted.ranker.kept, int(fitted.ranker.new_only)]
        tensors[f"{platform}/{name}/kept"] = torch.tensor(kept)
    save_file(tensors, folder / FILE, metadata={"features": " ".join(rankers.features)})


def load_rankers(folder: Path) -> Rankers:
    """Reads FILE."""
    with safe_open(folder / FILE, framework="pt") as file:
        features = file.metadata()["features"].split()
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    fitted = {}
    for key in sorted(key for key in tensors if key.endswith("/mixture")):
        platform, name, _ = key.split("/")
        kept, new_only = tensors[f"{platform}/{name}/kept"].tolist()
        first, blend = (_blend(tensors, f"{platform}/{name}/{p}/") for p in ("first", "blend"))
        ranker = ListOrder(first, blend, kept, bool(new_only))
        fitted[platform, name] = Fitted(ranker, Mixture(np.array(tensors[key])))
    return Rankers(fitted, features)


def _blend(tensors: dict[str, torch.Tensor], prefix: str) -> Blend:
    state = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
    seeds, features, hidden = state["body"].shape
    blend = Blend(features, hidden, seeds)
    blend.load_state_dict(state)
    return blend.eval()
