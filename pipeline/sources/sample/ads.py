"""Sponsored impressions: a logging policy with known propensities, fit for off-policy evaluation.

Each platform runs CAMPAIGNS campaigns, one per third topic, each for one item. The policy mixes the uniform choice
(share EXPLORE) with a softmax of how much the person likes the campaign's topic; the probability of the choice is
logged. A click depends on the topic of the visit alone.
"""

import numpy as np

from pipeline.sources.sample.items import Catalogue
from pipeline.sources.sample.people import People
from pipeline.sources.sample.topics import TOPICS

CAMPAIGNS = 8
CAMPAIGN_TOPICS = np.arange(CAMPAIGNS) * (len(TOPICS) // CAMPAIGNS)
EXPLORE = 0.2
SHARPNESS = 3.0
SPONSORED_SHARE = 0.35  # of visits see one
CLICK_ELSEWHERE, CLICK_ON_TOPIC = 0.03, 0.30


def choose_campaign(rng: np.random.Generator, people: People, person: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Campaign of each impression and the probability with which the policy chose it."""
    odds = policy(people.topics[person], people.weights[person])
    edges = np.cumsum(odds, axis=1)
    roll = rng.random(len(person))[:, None] * edges[:, -1:]
    chosen = np.minimum((roll >= edges).sum(axis=1), CAMPAIGNS - 1)
    return chosen, odds[np.arange(len(person)), chosen]


def policy(topics: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Probability of each campaign, (people, CAMPAIGNS), for tastes given as slots of topics."""
    liked = (topics[:, :, None] == CAMPAIGN_TOPICS) * weights[:, :, None]
    score = np.exp(SHARPNESS * liked.sum(axis=1))
    return EXPLORE / CAMPAIGNS + (1 - EXPLORE) * score / score.sum(axis=1, keepdims=True)


def campaign_items(catalogue: Catalogue, platform: int, campaign: np.ndarray) -> np.ndarray:
    """The item that each campaign is for: the first starter of its topic."""
    return catalogue.bounds[platform * len(TOPICS) + CAMPAIGN_TOPICS[campaign]]


def clicks(rng: np.random.Generator, campaign: np.ndarray, topic: np.ndarray) -> np.ndarray:
    """Whether each impression is clicked."""
    on_topic = CAMPAIGN_TOPICS[campaign] == topic
    return rng.random(len(campaign)) < np.where(on_topic, CLICK_ON_TOPIC, CLICK_ELSEWHERE)
