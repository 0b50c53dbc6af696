"""A randomised comparison of two arms, one row per user: all that uplift is learned from."""

from dataclasses import dataclass, replace

import numpy as np

from pipeline.decisions.experiments.assignment import position

FOLDS = 5
MOST_USERS = 1_000_000  # a larger trial is sampled down to this, so that memory is bounded


@dataclass(frozen=True)
class Trial:
    """`propensity`: the probability of the arm that the user got. `features`: users x columns, as known before entry,
    NaN where nothing was.

    `population`: the users who were drawn for, those who got a third arm included.
    """

    name: str  # "experiment:banner" or "campaign:spring"
    control: str
    treatment: str
    measure: str  # what `outcome` is
    users: np.ndarray
    treated: np.ndarray
    outcome: np.ndarray  # more is better
    propensity: np.ndarray
    features: np.ndarray
    columns: tuple[str, ...]
    population: int

    @property
    def weight(self) -> np.ndarray:
        """Weights under which both arms are half of all users, whatever the propensities were.

        With 1 / (2 propensity) every log is a trial that tossed a fair coin (Horvitz and Thompson 1952): also one of
        several arms, of which only the propensity of the one shown is known.
        """
        return 0.5 / self.propensity

    def rows(self, which: np.ndarray) -> "Trial":
        """Some of the users."""
        parts = ("users", "treated", "outcome", "propensity", "features")
        return replace(self, **{name: getattr(self, name)[which] for name in parts})

    def __len__(self) -> int:
        return len(self.users)


def places(users: np.ndarray, name: str) -> np.ndarray:
    """[users] in [0, 1): a hash that knows nothing of arms, outcomes or other trials."""
    return np.fromiter((position(user, f"uplift:{name}") for user in users), float, len(users))


def drawn(users: np.ndarray, name: str) -> np.ndarray:
    """Which users are looked at: all of them, or about MOST_USERS by another hash."""
    if len(users) <= MOST_USERS:
        return np.ones(len(users), bool)
    return places(users, f"drawn:{name}") < MOST_USERS / len(users)


def fold_of(places: np.ndarray) -> np.ndarray:
    """The fold of each user, 0 to FOLDS - 1."""
    return (places * FOLDS).astype(int)


def half_of(places: np.ndarray) -> np.ndarray:
    """Which half of the fold."""
    return (places * 2 * FOLDS).astype(int) % 2 == 1
