"""Weekly interest paths: the main topic of each week, and what a path does."""

from dataclasses import dataclass

import numpy as np

from spark_jobs.interests.touches import Touches

WEEKS = 13  # newest weeks of a path: so all moves into the last 12 calendar weeks are there
MANY_SWITCHES = 4  # as many changes of the main topic, or more, count alike

LEAST_WEEKS = 4  # paths shorter than this have no pattern
ROUNDS = 10
PULL = 0.5  # weight of an archetype, relative to the paths of a cluster of mean size
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


@dataclass(frozen=True)
class WeeklyPaths:
    """One element per user and week with active days, by user and week: the newest WEEKS each.

    `week` counts weeks from Monday to Sunday, `topic` is its main topic, by days; the first of equals. `start` and
    `length` say where each user's weeks are.
    """

    user: np.ndarray
    week: np.ndarray
    topic: np.ndarray
    start: np.ndarray
    length: np.ndarray


def weekly_paths(touches: Touches, topics: int) -> WeeklyPaths:
    """The paths of all users; empty for users without touches."""
    week = monday_weeks(touches.day)
    cell = np.lexsort((touches.topic, week, touches.user))
    user, week, topic = touches.user[cell], week[cell], touches.topic[cell]
    key = (user * 10_000 + week) * max(topics, 1) + topic
    cells, row = np.unique(key, return_inverse=True)
    days = np.round(np.bincount(row, touches.part[cell], len(cells)), 9)
    owner = cells // max(topics, 1)
    best = np.lexsort((cells, -days, owner))
    best = best[np.diff(owner[best], prepend=-1) != 0]
    user, week, topic = owner[best] // 10_000, owner[best] % 10_000, cells[best] % max(topics, 1)
    length = np.bincount(user, minlength=touches.users)
    from_end = np.cumsum(length)[user] - np.arange(len(user))
    kept = from_end <= WEEKS
    length = np.minimum(length, WEEKS)
    return WeeklyPaths(user[kept], week[kept], topic[kept], np.cumsum(length) - length, length)


def monday_weeks(day: np.ndarray) -> np.ndarray:
    """Weeks since that of 1970-01-01, a Thursday."""
    return (day + 3) // 7


def path_traits(paths: WeeklyPaths) -> np.ndarray:
    """Per user: switches (of MANY_SWITCHES), further topics per further week, share of switches that go back to an
    earlier topic, topics of the later half compared with the earlier (-1 to 1).
    """
    padded = np.full((len(paths.length), WEEKS), -1)
    column = np.arange(len(paths.user)) - paths.start[paths.user]
    padded[paths.user, column] = paths.topic
    inside = padded >= 0
    moved = np.zeros_like(inside)
    moved[:, 1:] = inside[:, 1:] & (padded[:, 1:] != padded[:, :-1])
    new = np.stack([_is_new(padded, week) for week in range(WEEKS)], axis=1) & inside
    half = (paths.length + 1) // 2
    early, late = (_distinct(padded, paths.length, half, side) for side in (False, True))
    switches = moved.sum(axis=1)
    further = np.maximum(paths.length - 1, 1)
    return np.stack(
        [
            np.minimum(switches, MANY_SWITCHES) / MANY_SWITCHES,
            np.maximum(new.sum(axis=1) - 1, 0) / further,
            (moved & ~new).sum(axis=1) / np.maximum(switches, 1),
            (late - early) / np.maximum(np.maximum(late, early), 1),
        ],
        axis=1,
    )


def _is_new(padded: np.ndarray, week: int) -> np.ndarray:
    return (padded[:, :week] != padded[:, week : week + 1]).all(axis=1)


def _distinct(padded: np.ndarray, length: np.ndarray, half: np.ndarray, late: bool) -> np.ndarray:
    """Number of topics in the first or the last `half` weeks of each path."""
    week = np.arange(WEEKS)[None, :]
    low = (length - half if late else np.zeros_like(half))[:, None]
    side = np.sort(np.where((week >= low) & (week < low + half[:, None]), padded, -1), axis=1)
    return ((side >= 0) & (np.diff(side, axis=1, prepend=-1) != 0)).sum(axis=1)


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
    """The pattern of each user; None if there are too few weeks to judge."""
    names = list(ARCHETYPES)
    nearest = _nearest(path_traits(paths), centres)
    told = paths.length >= LEAST_WEEKS
    return [names[n] if t else None for n, t in zip(nearest.tolist(), told.tolist(), strict=True)]


def _nearest(traits: np.ndarray, centres: np.ndarray) -> np.ndarray:
    return ((traits[:, None, :] - centres[None, :, :]) ** 2).sum(axis=2).argmin(axis=1)
