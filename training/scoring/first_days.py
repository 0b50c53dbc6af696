"""What a log tells that is too short to train a model on: everybody is scored from the first day on.

Lists come from a fixed order of the same candidates and features that the blend reads, vectors from the texts of the
items that a user turned to, chances from how often all users did the act so far.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from pipeline.tables.features import EXTRAPOLATED, OBSERVED, PRIOR
from pipeline.tables.registry import IMPRESSION
from training.data.arrow import day_number
from training.data.catalogue import Catalogue
from training.data.sequences import Sequences
from training.data.users import HEADS, UserStates
from training.data.windowed_counts import WindowedCounts, windowed_counts
from training.model.lists import Lists, listed
from training.model.predictor import Asked
from training.ranking.blend import plain_blend
from training.ranking.engagements import Engagements
from training.ranking.features import feature_names
from training.ranking.fit_blends import LISTS
from training.ranking.market import WINDOWS, Market, Sizes
from training.ranking.mixture import Mixture
from training.ranking.moments import markets, parts
from training.ranking.order import ANY, Fitted, ListOrder, Rankers

# Log-odds: first what a user has turned to, then what is asked for of late; users alike and texts count half as much.
# Not fitted: there is nothing yet to fit on.
WEIGHTS = {"seen": 8.0, "own_days": 1.0, "log_users_14": 1.0, "log_ease": 0.5, "log_follow": 0.5, "text_near": 0.5}
# Chances of the first day, before anything was seen to follow: half the people of a shop come back within a week, few
# buy, hardly anybody sends back. Within 7 days; the weight is that of USERS users, since shops differ.
FIRST_CHANCE = {"click": 0.4, "cart": 0.1, "purchase": 0.05, "return": 0.01, "churn": 0.5}
USERS = 20
SPANS = (1, 7, 28)
_, WEEK, MONTH = SPANS
ACTS = {"click": "view", "cart": "cart", "purchase": "purchase", "return": "return"}
VECTOR_ITEMS = 10  # newest engagements that make a user's vector


@dataclass(frozen=True)
class BaseRates:
    """[HEADS] chances that hold for every user, and on what they rest (see `propensity_basis`)."""

    chances: np.ndarray
    basis: str

    @classmethod
    def of(cls, daily: Iterable[pa.RecordBatch], ds: str) -> "BaseRates":
        """From `daily` of every row of `user_history`: who was known a span ago, and what they did within it.

        Spans are a day, a week and four weeks, as far as the log has seen them. The chance within a longer horizon
        follows from the longest of them, as if every day were like the others.
        """
        today = day_number(ds)
        rows = [windowed_counts(batch["daily"], np.full(len(batch), today, np.int32)) for batch in daily]
        oldest = max((int(it.known_for.max(initial=0)) for it in rows), default=0)
        seen = {days: _did(rows, days) for days in SPANS if days <= oldest}
        found = {head: _chance(head, seen) for head in HEADS}
        for act in ACTS:  # of other users in each span, so that they need not be in order
            found[f"{act}_28d"] = max(found[f"{act}_7d"], found[f"{act}_28d"])
        found["churn_28d"] = min(found["churn_7d"], found["churn_28d"])
        basis = PRIOR if not seen else OBSERVED if MONTH in seen else EXTRAPOLATED
        return cls(np.array([found[head] for head in HEADS], np.float32), basis)


def _did(rows: list[WindowedCounts], days: int) -> dict[str, tuple[int, int]]:
    """By act: of the users who were known `days` ago, how many did it since, and how many there are."""
    known = [it.known_for >= days for it in rows]  # an act does not choose who is counted
    users = int(sum(mine.sum() for mine in known))
    acts = {
        act: int(sum((it.count(kind, days)[mine] > 0).sum() for it, mine in zip(rows, known, strict=True)))
        for act, kind in ACTS.items()
    }
    gone = int(sum((_acts(it, days)[mine] == 0).sum() for it, mine in zip(rows, known, strict=True)))
    return {act: (number, users) for act, number in acts.items()} | {"churn": (gone, users)}


def _acts(counts: WindowedCounts, days: int) -> np.ndarray:
    """[rows] events but impressions."""
    return counts.count("events", days) - counts.count(IMPRESSION, days)


def _chance(head: str, seen: dict[int, dict[str, tuple[int, int]]]) -> float:
    """From the longest span that was seen and is no longer than the horizon, drawn to FIRST_CHANCE."""
    act, _, horizon = head.removesuffix("d").partition("_")
    days = int(horizon)
    spans = [span for span in seen if span <= days]
    if not spans:
        return _over(FIRST_CHANCE[act], WEEK, days, act)
    span = max(spans)
    number, users = seen[span][act]
    first = _over(FIRST_CHANCE[act], WEEK, span, act)
    return _over((number + USERS * first) / (users + USERS), span, days, act)


def _over(chance: float, span: int, days: int, act: str) -> float:
    """A chance within `span` days as one within `days`: of doing it at least once, or, for churn, of never coming."""
    return chance ** (days / span) if act == "churn" else 1 - (1 - chance) ** (days / span)


def first_order() -> Rankers:
    """The fixed order of both lists, on every platform."""
    names = feature_names()
    blend = plain_blend([WEIGHTS.get(name, 0.0) for name in names])
    return Rankers(
        {
            (ANY, name): Fitted(
                ListOrder(blend, blend, effort.kept, name == "next_new_items"), Mixture.of_blend_alone()
            )
            for name, effort in LISTS.items()
        },
        names,
    )


@dataclass(frozen=True)
class FirstDays:
    """Scores like a `Predictor`, of a moment at which there is no model. `model_ds` is the day of the base rates."""

    catalogue: Catalogue
    markets: dict[str, Market]
    rankers: Rankers
    rates: BaseRates
    model_ds: str

    @classmethod
    def of(cls, catalogue: Catalogue, known: Engagements, rates: BaseRates, ds: str) -> "FirstDays":
        """`known`: the engagements of all users."""
        return cls(catalogue, markets(known, catalogue, Sizes()), first_order(), rates, ds)

    @property
    def basis(self) -> str:
        return self.rates.basis

    def users(self, states: UserStates, rows: np.ndarray) -> Tensor:
        """[rows, text width] vectors of users."""
        return self.vectors(states.past, rows)

    def vectors(self, past: Sequences, rows: np.ndarray) -> Tensor:
        """[rows, text width] the mean text vector of the newest items that each turned to; 0 without one."""
        place, event = past.events_of(rows)
        engaged = past.engaged[event]
        place, event = place[engaged], event[engaged]
        size = np.bincount(place, minlength=len(rows))
        age = np.repeat(np.cumsum(size), size) - np.arange(len(place))  # 1 for the newest
        newest = age <= VECTOR_ITEMS
        found = np.zeros((len(rows), self.catalogue.text.shape[1]), np.float32)
        np.add.at(found, place[newest], self.catalogue.text[past.item[event[newest]]])
        return torch.from_numpy(found / np.maximum(np.minimum(size, VECTOR_ITEMS), 1)[:, None])

    def propensities(self, users: Tensor, states: UserStates, rows: np.ndarray) -> np.ndarray:
        """[rows, HEADS] the base rates."""
        return np.tile(self.rates.chances, (len(rows), 1))

    def asked(self, states: UserStates, rows: np.ndarray, users: Tensor) -> Asked:
        """The candidates of `rows`, which all belong to one moment."""
        every = list(parts(states, rows, self.catalogue, self.markets))
        return Asked(len(rows), every, [np.zeros(len(part.moment.found.row)) for part in every])

    def listed(self, asked: Asked, name: str, most: int) -> Lists:
        """One published list, at most `most` long."""
        return listed(name, asked.every, asked.model, self.rankers, asked.users, most)

    def by_text_alone(self) -> np.ndarray:
        """[items] whether nobody has turned to an item yet."""
        ever = [market.facts.users[WINDOWS[-1]] for market in self.markets.values()]
        return np.sum(ever, axis=0) == 0
