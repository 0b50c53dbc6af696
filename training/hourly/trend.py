"""What is added to the scores of items: how much each is turned to of late, as in scoring."""

import numpy as np

from training.data.catalogue import Catalogue
from training.model.predictor import TREND_DAYS, log_trend
from training.ranking.engagements import Engagements
from training.model.model import TrainedModel


def item_trend(trained: TrainedModel, catalogue: Catalogue, known: Engagements) -> np.ndarray:
    """[items] the trend within each item's platform, from the engagements of all users."""
    late = np.bincount(known.pairs.item[known.pairs.newest < TREND_DAYS], minlength=len(catalogue))
    then, found = trained.frequency(catalogue), np.zeros(len(catalogue), dtype=np.float32)
    for code in range(len(catalogue.platforms)):
        here = catalogue.platform == code
        found[here] = log_trend(late * here, then * here)[here]
    return found
