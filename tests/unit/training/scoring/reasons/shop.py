"""A small shop with a model whose blend reads what a test says."""

from dataclasses import replace

import numpy as np
import pyarrow as pa

from tests.unit.training.factory import DS, TOPICS, embeddings, event
from tests.unit.training.scoring.test_scoring import crowd, history, model
from training.data.arrow import day_number
from training.data.catalogue import Catalogue, build_catalogue
from training.data.users import UserStates, user_states
from training.model.lists import LISTS
from training.model.predictor import Predictor
from training.ranking.blend import plain_blend
from training.ranking.features import feature_names
from training.ranking.mixture import Mixture
from training.ranking.order import ANY, Fitted, ListOrder, Rankers

ITEMS = 60


def predictor(catalogue: Catalogue | None = None, known: int | None = None, **weights: float) -> Predictor:
    """A blend of the named features alone; the model knows the first `known` items by an id."""
    catalogue = catalogue or build_catalogue(embeddings(ITEMS))
    blend = plain_blend([weights.get(name, 0.0) for name in feature_names()])
    fitted = {
        (ANY, name): Fitted(ListOrder(blend, blend, ITEMS, name != LISTS[0]), Mixture.of_blend_alone())
        for name in LISTS
    }
    trained = replace(model(catalogue.item_ids[:known], ["shop"]), fitted_rankers=Rankers(fitted, feature_names()))
    return Predictor.of(trained, catalogue, crowd(catalogue))


def mixed_users(number: int) -> pa.Table:
    """User n viewed six items, of all topics, one a day; most of topic n."""
    users = []
    for user in range(number):
        items = [(user % TOPICS) + TOPICS * ((user + k) % 3) for k in range(3)]
        items += [(user + 1 + k) % TOPICS + TOPICS * (k + 1) for k in range(3)]
        events = [event(f"shop:{item:03d}", "view", f"2024-05-{20 + day:02d}") for day, item in enumerate(items)]
        users.append((["shop"], events))
    return history(*users)


def states_of(users: pa.Table, found: Predictor) -> UserStates:
    as_of = np.full(users.num_rows, day_number(DS), dtype=np.int32)
    return user_states(users, as_of, found.catalogue)
