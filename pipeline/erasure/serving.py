"""The online store without persons: every night that is kept."""

from pipeline.features.online import open_backend
from pipeline.runtime.settings import Settings

WAIT_SECONDS = 3600  # for a night that is being loaded: it may hold the persons


def erase_online(settings: Settings, users: frozenset[str]) -> int:
    """Removes the users from all nights; returns rows removed. Raises OnlineError."""
    backend = open_backend(settings)
    if not backend.nights().current and not backend.versions():
        return 0
    with backend.writing(WAIT_SECONDS):
        removed = {version: backend.erase(version, sorted(users)) for version in backend.versions()}
        if any(removed.values()):
            backend.point(backend.nights().without(removed))
    return sum(removed.values())


def online_rows(settings: Settings, users: frozenset[str]) -> int:
    """Rows of the users in any night."""
    backend = open_backend(settings)
    return sum(backend.holds(version, users) for version in backend.versions())
