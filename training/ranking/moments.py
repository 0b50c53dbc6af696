"""Users at one moment, platform by platform: what every blend is fitted on and scores."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from training.data.catalogue import Catalogue
from training.data.users import UserStates
from training.ranking.engagements import OLDEST, Engagements, engagements
from training.ranking.market import Market, Sizes, market
from training.ranking.mixture import user_groups
from training.ranking.order import Moment

SHARE_HALF_LIFE = 30.0  # days that show how a user divides its activity between platforms
SHARE_PRIOR = 0.1  # engagements on each platform that a user uses


@dataclass(frozen=True)
class Part:
    """The users of one platform among the requested rows."""

    platform: str
    rows: np.ndarray  # places among the rows, sorted; user k of `moment` is rows[k]
    share: np.ndarray  # [users] of each user's engagement, sums to 1 over platforms
    group: np.ndarray  # [users] index of mixture.GROUPS
    moment: Moment
    own: Engagements  # what these users did on the platform


def markets(known: Engagements, catalogue: Catalogue, sizes: Sizes) -> dict[str, Market]:
    """The market of each platform, from the engagements of all users."""
    text = catalogue.text / np.maximum(np.linalg.norm(catalogue.text, axis=1, keepdims=True), 1e-9)
    return {
        name: market(known, catalogue.platform == code, text, sizes) for code, name in enumerate(catalogue.platforms)
    }


def parts(states: UserStates, rows: np.ndarray, catalogue: Catalogue, places: dict[str, Market]) -> Iterator[Part]:
    """The candidates of `rows`, all of one moment, on each platform they use."""
    if not len(rows):
        return
    as_of = int(states.as_of[rows[0]])
    mine = engagements(states.past, rows, as_of, len(catalogue))
    touched = _touched(states, rows, len(catalogue))
    uses = states.platforms[rows]
    uses = uses | ~uses.any(axis=1, keepdims=True)  # users without a platform with items: of all
    share = _shares(mine, catalogue, uses)
    for code, name in enumerate(catalogue.platforms):
        here = np.flatnonzero(uses[:, code])
        allowed = (catalogue.platform == code) & (catalogue.first_day <= as_of)
        if not len(here) or not allowed.any():
            continue
        own = mine.within(here, catalogue.platform == code)
        moment = Moment.of(own, places[name], allowed)
        found = moment.found
        moment = replace(moment, touched=_holds(touched[here], found.row, found.item))
        visits = np.bincount(own.visits // (OLDEST + 1), minlength=len(here))
        yield Part(name, here, share[here, code], user_groups(visits), moment, own)


def _shares(mine: Engagements, catalogue: Catalogue, uses: np.ndarray) -> np.ndarray:
    """[rows, platforms] the share of a user's recent engagement on each platform."""
    width = len(catalogue.platforms)
    weight = 0.5 ** (mine.age / SHARE_HALF_LIFE)
    place = mine.row * width + catalogue.platform[mine.item]
    found = np.bincount(place, weight, mine.users * width).reshape(-1, width)
    found = np.where(uses, found + SHARE_PRIOR, 0)
    return found / found.sum(axis=1, keepdims=True)


def _touched(states: UserStates, rows: np.ndarray, items: int) -> sparse.csr_matrix:
    """[rows, items] the items of a user's history, whatever the event type."""
    place, event = states.past.events_of(rows)
    known = states.past.item[event] >= 0
    where = (place[known], states.past.item[event][known])
    return sparse.csr_matrix((np.ones(known.sum(), np.int8), where), (len(rows), items))


def _holds(matrix: sparse.csr_matrix, row: np.ndarray, item: np.ndarray) -> np.ndarray:
    return np.asarray(matrix[row, item]).ravel() > 0 if len(row) else np.zeros(0, dtype=bool)
