"""The online store: the features of one user, now.

    from pipeline.features.online import open_store
    from pipeline.runtime.settings import load_settings
    open_store(load_settings()).get(["0123456789abcdef0123456789abcdef"])

Every night has a version of its own; one pointer says which one serves, so a reader sees all of a night or nothing of
it.
"""

from pipeline.features.online.backends import open_backend
from pipeline.features.online.night import Night, Nights
from pipeline.features.online.store import OnlineStore
from pipeline.runtime.settings import Settings

__all__ = ["Night", "Nights", "OnlineStore", "open_backend", "open_store"]


def open_store(settings: Settings) -> OnlineStore:
    """The store that `TIDEMARK_ONLINE_URI` names; threads may share it. Connects at first use."""
    return OnlineStore(open_backend(settings))
