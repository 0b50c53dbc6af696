"""Load the features of a day into the online store.

    python -m pipeline online load --ds 2011-11-09
    python -m pipeline online rollback

Reads `user_features` of the day, writes a version of its own to the store that TIDEMARK_ONLINE_URI names, counts it,
and then moves one pointer. The previous night is kept: `online rollback` makes it serve again at once. Feast's
definitions are renewed if the schema has changed.
"""

import time

from pipeline.features.feast.repository import bring_up_to_date
from pipeline.features.online import open_backend
from pipeline.features.online.load import load_night, roll_back
from pipeline.orchestration.steps import SERVE
from pipeline.runtime.settings import Settings
from pipeline.storage import staging

WAIT_SECONDS = 120  # for a refresh that writes its rows


def load(settings: Settings, ds: str, run: str, force: bool) -> None:
    """Loads a day and lets it serve; keeps the step's times under `run`. Raises OnlineError.

    force: also a day that is older than what serves, or was rolled back.
    """
    began = time.time()
    backend = open_backend(settings)
    print(f"online store ({backend.name}): {load_night(settings, backend, ds, force, WAIT_SECONDS)}")
    bring_up_to_date(settings)
    if run:
        staging.keep_times(settings, SERVE.name, run, began)


def go_back(settings: Settings) -> None:
    """Lets the night before serve again. Raises OnlineError."""
    backend = open_backend(settings)
    print(f"online store ({backend.name}): {roll_back(backend)}")
    bring_up_to_date(settings)
