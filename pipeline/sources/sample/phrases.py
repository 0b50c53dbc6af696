"""What people type: search queries per topic and review texts per rating, as one numbered pool."""

from itertools import product

import numpy as np

from pipeline.sources.sample.topics import TOPICS, Topic

QUERIES = 48  # per topic
OPENINGS = {
    1: ("Very disappointed", "Broke within a week", "Not as described", "Waste of money"),
    2: ("Not great", "Expected more", "Poor finish", "Arrived late and scratched"),
    3: ("It is okay", "Does the job", "Average, really", "Fine for the price"),
    4: ("Good quality", "Happy with it", "Works well", "Nice, with small flaws"),
    5: ("Absolutely love it", "Excellent", "Exactly what I wanted", "Best purchase this year"),
}
DETAILS = (
    "delivery was quick",
    "the size is as shown",
    "the colour differs a bit",
    "I use it every day",
    "it was a gift",
    "packaging could be smaller",
    "my second one",
    "compared with others",
    "after two weeks of use",
    "my family agrees",
)
CLOSINGS = {
    1: ("sent it back.", "avoid."),
    2: ("would not buy again.", "look elsewhere."),
    3: ("might buy again.", "no more, no less."),
    4: ("would buy again.", "recommended."),
    5: ("highly recommended!", "buying another one."),
}


def _queries(topic: Topic) -> list[str]:
    bare = [thing.lower() for thing in topic.things]
    styled = [f"{s} {t}".lower() for s, t in product(topic.styles, topic.things)]
    branded = [f"{b} {t}".lower() for t, b in product(topic.things, topic.brands)]
    return [*bare, *styled[::2], *branded][:QUERIES]


def _reviews(rating: int) -> list[str]:
    parts = product(OPENINGS[rating], DETAILS, CLOSINGS[rating])
    return [", ".join(words) for words in parts]


_POOL = [_queries(topic) for topic in TOPICS] + [_reviews(rating) for rating in OPENINGS]
REVIEWS = len(_POOL[-1])  # per rating
PHRASES: list[str] = [text for texts in _POOL for text in texts]


def draw_queries(rng: np.random.Generator, topic: np.ndarray) -> np.ndarray:
    """Number of a query on each topic."""
    return topic.astype(np.int64) * QUERIES + rng.integers(0, QUERIES, len(topic))


def draw_reviews(rng: np.random.Generator, rating: np.ndarray) -> np.ndarray:
    """Number of a text that fits each rating (1 to 5)."""
    first = len(TOPICS) * QUERIES + (rating.astype(np.int64) - 1) * REVIEWS
    return first + rng.integers(0, REVIEWS, len(rating))
