"""Takes events and features away from users and asks the heads again: see bench_reasons.py."""

import numpy as np
import pyarrow as pa
from torch import Tensor

from tests.bench.list_deletions import Lists, Moved
from training.data.users import HEADS, user_states
from training.propensity.plain_models import stack_inputs
from training.propensity.stack import sources
from training.scoring.reasons.columns import EVENTS, EXPLAINED, FEATURES, strongest
from training.scoring.reasons.effects import feature_effects
from training.scoring.reasons.occlusion import newest, occlusion, without

MOST_TRIED = 100_000  # kinds and days of a user that random ones are drawn from: all


def head_deletions(given: Lists) -> dict[str, dict[str, Moved]]:
    """Per explained head that is no rate: events taken away, features set to the average."""
    fitted = given.predictor.trained.fitted_propensities
    assert fitted is not None
    heads = [head for head in EXPLAINED if fitted.heads[head].mix is not None]
    tried = occlusion(given.predictor, given.history, given.as_of, given.users, heads)
    inputs = stack_inputs(given.states, np.arange(len(given.states)))
    found: dict[str, dict[str, Moved]] = {}
    for place, head in enumerate(heads):
        best = strongest(tried.row, -tried.day, tried.effect[:, place], EVENTS)
        units = list(zip(tried.row[best], tried.kind[best], tried.day[best], strict=True))
        effect = feature_effects(given.predictor, head, given.users, inputs)[:, :-1]
        found[HEADS[head]] = {
            "events": _event_moves(given, head, units),
            "features": _feature_moves(given, head, effect, inputs),
        }
    return found


def _event_moves(given: Lists, head: int, named: list[tuple[int, int, int]]) -> Moved:
    """Of users with more kinds and days than are named."""
    generator = np.random.default_rng(7)
    row, kind, day = newest(given.history["daily"], MOST_TRIED)
    drawn = []
    for user in np.unique([unit[0] for unit in named]):
        number = sum(unit[0] == user for unit in named)
        mine = np.flatnonzero(row == user)
        if len(mine) > number:
            picked = generator.choice(mine, number, False)
            drawn += [(int(user), int(kind[k]), int(day[k])) for k in picked]
    chosen = {user for user, _, _ in drawn}
    before = _head_odds(given, given.history, head)
    return {
        what: _moved_without(given, head, [u for u in units if u[0] in chosen], before)
        for what, units in (("named", named), ("random", drawn))
    }


def _moved_without(given: Lists, head: int, units: list[tuple[int, int, int]], before: np.ndarray) -> np.ndarray:
    """[users] change without all units of each user, NaN for users without any."""
    moved = np.full(len(before), np.nan)
    users = np.unique([unit[0] for unit in units])
    history = given.history.take(pa.array(users))
    for turn in range(EVENTS):
        place, kind, day = [], [], []
        for k, user in enumerate(users):
            mine = [unit for unit in units if unit[0] == user]
            _, what, when = mine[min(turn, len(mine) - 1)]
            place.append(k), kind.append(what), day.append(when)  # type: ignore[func-returns-value]
        history = without(history, np.array(place), np.array(kind), np.array(day))
    moved[users] = np.abs(_head_odds(given, history, head) - before[users])
    return moved


def _head_odds(given: Lists, history: pa.Table, head: int) -> np.ndarray:
    """[rows] log-odds of one head, before horizons are put in order."""
    moments = np.full(history.num_rows, given.as_of, dtype=np.int32)
    states = user_states(history, moments, given.predictor.catalogue)
    users = given.predictor.users(states, np.arange(len(states)))
    return _odds_of(given, head, users, stack_inputs(states, np.arange(len(states))))


def _odds_of(given: Lists, head: int, users: Tensor, inputs: np.ndarray) -> np.ndarray:
    trained = given.predictor.trained
    fitted = trained.fitted_propensities
    assert fitted is not None
    one = fitted.heads[head]
    assert one.mix is not None
    counts = inputs[:, : given.states.features.shape[1]]
    logits = trained.head_logits(users, counts)[:, head]
    read = sources(one.plain, logits, inputs, fitted.scale.apply(inputs))
    return read @ np.array(one.mix.weights)


def _feature_moves(given: Lists, head: int, effect: np.ndarray, inputs: np.ndarray) -> Moved:
    """Named and random features set to the average of training, among those that differ from it."""
    fitted = given.predictor.trained.fitted_propensities
    assert fitted is not None
    scaled = fitted.scale.apply(inputs)
    group, what = np.divmod(np.arange(effect.size), effect.shape[1])
    best = strongest(group, what, effect.ravel(), FEATURES)
    named = np.zeros(effect.shape, dtype=bool)
    named.ravel()[best] = True
    luck = np.where(np.abs(scaled) > 1e-6, np.random.default_rng(7).random(effect.shape), -1)
    place = np.argsort(np.argsort(-luck, axis=1), axis=1)
    drawn = place < named.sum(axis=1, keepdims=True)
    before = _odds_of(given, head, given.users, inputs)
    usual = fitted.scale.mean.astype(np.float32)
    return {
        name: np.abs(_odds_of(given, head, given.users, np.where(cut, usual, inputs)) - before)
        for name, cut in (("named", named), ("random", drawn))
    }
