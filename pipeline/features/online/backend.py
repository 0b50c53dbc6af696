"""What every kind of online store can do."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from pipeline.features.online.night import Nights

Rows = Iterator[tuple[str, bytes]]


class Backend(Protocol):
    """Values by version and user, and one pointer. What writes needs the lock of `writing`."""

    name: str

    def nights(self) -> Nights:
        """What the pointer holds."""

    def fetch(self, version: str, users: list[str]) -> tuple[str, list[bytes | None]]:
        """The values of a version, with the version that serves.

        Where both are the same, the values are whole: a version that serves is never removed.
        """

    def writing(self, wait_seconds: float = 0) -> AbstractContextManager[None]:
        """One writer at a time; a writer that died does not hold the lock for long. Raises OnlineError."""

    def write(self, version: str, rows: Rows) -> None:
        """Writes a version that nobody reads yet."""

    def upsert(self, version: str, rows: Rows) -> None:
        """Writes rows into a version, even the serving one: new users are added, others replaced.

        A reader finds a user's row whole, before or after; cut off, some rows are the new ones.
        """

    def count(self, version: str) -> int:
        """Users of a version, counted by the store itself."""

    def point(self, nights: Nights) -> None:
        """Moves the pointer, in one step. Raises OnlineError when the lock was lost."""

    def versions(self) -> set[str]:
        """Every version with any data."""

    def remove(self, version: str) -> None:
        """Removes a version that does not serve."""

    def erase(self, version: str, users: list[str]) -> int:
        """Removes users from a version; returns how many were in it."""

    def holds(self, version: str, users: Iterable[str]) -> int:
        """How many of the users are in a version."""

    def close(self) -> None:
        """Ends the connections."""
