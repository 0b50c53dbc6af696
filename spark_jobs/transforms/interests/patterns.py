"""Named migration patterns: clusters of what weekly interest paths do.

k-means that starts from one archetype per name and is pulled towards it (seeded k-means, Basu,
Banerjee and Mooney 2002): so clusters follow the users, and a name means the same every night.
"""

import numpy as np

from spark_jobs.interests.paths import WeeklyPaths, path_traits

LEAST_WEEKS = 4  # paths shorter than this have no pattern
ROUNDS = 10
PULL = 0.5  # weight of an archetype, beside the paths of a cluster of mean size
# name: meaning; archetype in `path_traits`: switches, further topics, returns, breadth
ARCHETYPES = {
    "settled": ("stay with one topic", (0.0, 0.0, 0.0, 0.0)),
    "moved_on": ("moved once and stayed", (0.25, 0.2, 0.0, 0.0)),
    "back_and_forth": ("go back and forth between few topics", (1.0, 0.2, 0.8, 0.0)),
    "exploring": ("another topic nearly every week", (1.0, 0.8, 0.1, 0.0)),
    "narrowing": ("fewer topics of late", (0.5, 0.4, 0.2, -0.6)),
    "widening": ("more topics of late", (0.5, 0.4, 0.2, 0.6)),
}
MEANINGS = {name: meaning for name, (meaning, _) in ARCHETYPES.items()}


def fit_centres(paths: WeeklyPaths) -> np.ndarray:
    """The centre of each pattern, in order of ARCHETYPES."""
    seeds = np.array([traits for _, traits in ARCHETYPES.values()])
    traits = path_traits(paths)[paths.length >= LEAST_WEEKS]
    centres, pull = seeds, PULL * max(len(traits), 1) / len(seeds)
    for _ in range(ROUNDS):
        nearest = _nearest(traits, centres)
        sums = np.stack([np.bincount(nearest, x, len(seeds)) for x in traits.T], axis=1)
        size = np.bincount(nearest, minlength=len(seeds))[:, None]
        centres = (sums + pull * seeds) / (size + pull)
    return centres


def name_patterns(paths: WeeklyPaths, centres: np.ndarray) -> list[str | None]:
    """The pattern of each user; None with too few weeks to tell."""
    names = list(ARCHETYPES)
    nearest = _nearest(path_traits(paths), centres)
    told = paths.length >= LEAST_WEEKS
    return [names[n] if t else None for n, t in zip(nearest.tolist(), told.tolist(), strict=True)]


def _nearest(traits: np.ndarray, centres: np.ndarray) -> np.ndarray:
    return ((traits[:, None, :] - centres[None, :, :]) ** 2).sum(axis=2).argmin(axis=1)
