"""What stands around a model of which nothing was fitted: plain lists, and the transformer's own chances."""

import numpy as np

from training.data.users import HEADS
from training.propensity.plain_models import INPUTS, Scale
from training.propensity.stack import Head, Mix, Propensities
from training.ranking.blend import plain_blend
from training.ranking.fit_blends import LISTS, PLAIN
from training.ranking.mixture import Mixture
from training.ranking.order import ANY, Fitted, ListOrder, Rankers


def plain_rankers(names: list[str]) -> Rankers:
    """Own repeats first, then what has been popular lately."""
    blend = plain_blend([float(name in PLAIN) for name in names])
    fitted = {
        (ANY, name): Fitted(ListOrder(blend, blend, effort.kept, name == "next_new_items"), Mixture.of_blend_alone())
        for name, effort in LISTS.items()
    }
    return Rankers(fitted, names)


def plain_propensities() -> Propensities:
    """The chances of the transformer's heads as they are."""
    nothing = np.zeros(len(INPUTS))
    alone = Head(mix=Mix([1.0, 0.0, 0.0], 0.0))
    return Propensities([alone] * len(HEADS), Scale(nothing, nothing, nothing, nothing, nothing + 1))
