"""Users as known at one moment: what models and rankers see of them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from training.data.arrow import codes, lengths, plain
from training.data.catalogue import Catalogue
from training.data.rhythm import rhythm
from training.data.sequences import Sequences, sequences
from training.data.windowed_counts import WindowedCounts, windowed_counts


@dataclass(frozen=True)
class UserStates:
    """One row per user and moment. `as_of` is the day (since 1970) up to which all is known."""

    users: pa.Array
    as_of: np.ndarray
    past: Sequences
    counts: WindowedCounts
    rhythm: np.ndarray  # [rows, propensity.rhythm.RHYTHM]
    platforms: np.ndarray  # [rows, platforms of the catalogue] whether the user uses it

    def __len__(self) -> int:
        return len(self.users)

    @cached_property
    def features(self) -> np.ndarray:
        return self.counts.features()


def user_states(
    table: pa.Table | pa.RecordBatch, as_of: np.ndarray, catalogue: Catalogue
) -> UserStates:
    """From rows with `user_id`, `events` and `daily`."""
    return UserStates(
        plain(table["user_id"]),
        as_of,
        sequences(table["events"], catalogue),
        windowed_counts(table["daily"], as_of),
        rhythm(table["daily"], as_of),
        _platforms_used(plain(table["daily"]), catalogue),
    )


def _platforms_used(daily: pa.Array, catalogue: Catalogue) -> np.ndarray:
    used = np.zeros((len(daily), len(catalogue.platforms)), dtype=bool)
    rows = np.repeat(np.arange(len(daily)), lengths(daily))
    platform = codes(pc.struct_field(daily.flatten(), "platform"), catalogue.platforms)
    used[rows[platform >= 0], platform[platform >= 0]] = True
    return used
