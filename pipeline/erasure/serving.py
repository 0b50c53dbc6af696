"""The online store without persons: every night that is kept."""

from collections.abc import Collection

from pipeline.features.online import open_backend
from pipeline.features.online.load import load_night
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


def renew_online(settings: Settings, days: Collection[str]) -> None:
    """Loads the night that serves once more where it is one of `days`, in which names were masked.

    Twice: the night that a rollback returns to is then without the names as well.
    """
    backend = open_backend(settings)
    current = backend.nights().current
    if current is not None and current.ds in days:
        for _ in range(2):
            load_night(settings, backend, current.ds, force=True, wait_seconds=WAIT_SECONDS)


def online_rows(settings: Settings, users: frozenset[str]) -> int:
    """Rows of the users in any night."""
    backend = open_backend(settings)
    return sum(backend.holds(version, users) for version in backend.versions())
