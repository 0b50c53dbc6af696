"""Redis: one hash per night, `tidemark:night:<version>`, with a field per user.

A hash is removed by one UNLINK, counted by one HLEN and needs no object per user. The pointer is a key of its own; a
read asks for it and for the values in one MULTI, which is one round trip.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice

import redis
from redis.client import Pipeline
from redis.exceptions import LockError, RedisError, WatchError
from redis.lock import Lock

from pipeline.features.online.backend import Rows
from pipeline.features.online.night import Nights
from pipeline.runtime.errors import OnlineError

POINTER, LOCK, NIGHT = "tidemark:nights", "tidemark:writing", "tidemark:night:"
LOCK_SECONDS = 60  # a writer that died holds the lock no longer; a living one renews it
BATCH = 500  # rows of one round trip


class RedisBackend:
    name = "redis"

    def __init__(self, uri: str) -> None:
        self._client = redis.Redis.from_url(uri)
        self._lock: Lock | None = None

    def nights(self) -> Nights:
        with _told():
            return Nights.from_json(self._client.get(POINTER))

    def fetch(self, version: str, users: list[str]) -> tuple[str, list[bytes | None]]:
        with _told(), self._client.pipeline(transaction=True) as both:
            both.get(POINTER)
            if users:
                both.hmget(NIGHT + version, users)
            pointer, *values = both.execute()
        serving = Nights.from_json(pointer).current
        return serving.version if serving else "", values[0] if values else []

    @contextmanager
    def writing(self, wait_seconds: float = 0) -> Iterator[None]:
        lock = self._client.lock(LOCK, timeout=LOCK_SECONDS, thread_local=False)
        with _told():
            got = lock.acquire(blocking=wait_seconds > 0, blocking_timeout=wait_seconds)
        if not got:
            raise OnlineError("online store: another process writes to it; try again later")
        self._lock = lock
        try:
            yield
        finally:
            self._lock = None
            with suppress(LockError):  # it ran out and may be another's by now
                lock.release()

    def write(self, version: str, rows: Rows) -> None:
        while batch := list(islice(rows, BATCH)):
            with _told():
                self._client.hset(NIGHT + version, items=[part for row in batch for part in row])
                self._renew()

    def upsert(self, version: str, rows: Rows) -> None:
        """Batch by batch: everybody waits while Redis works on one."""
        while batch := list(islice(rows, BATCH)):
            with self._owning() as both:
                both.hset(NIGHT + version, items=[part for row in batch for part in row])
            with _told():
                self._renew()

    def count(self, version: str) -> int:
        with _told():
            return int(self._client.hlen(NIGHT + version))

    def point(self, nights: Nights) -> None:
        with self._owning() as both:
            both.set(POINTER, nights.to_json())

    def versions(self) -> set[str]:
        with _told():
            keys = self._client.scan_iter(match=f"{NIGHT}*", count=1000)
            return {key.decode().removeprefix(NIGHT) for key in keys}

    def remove(self, version: str) -> None:
        with _told():
            self._client.unlink(NIGHT + version)

    def erase(self, version: str, users: list[str]) -> int:
        with _told():
            return int(self._client.hdel(NIGHT + version, *users)) if users else 0

    def holds(self, version: str, users: Iterable[str]) -> int:
        with _told(), self._client.pipeline(transaction=False) as asked:
            for user in users:
                asked.hexists(NIGHT + version, user)
            return sum(asked.execute())

    def close(self) -> None:
        self._client.close()

    @contextmanager
    def _owning(self) -> Iterator[Pipeline]:
        """Commands that run together, unless another process has the lock by now."""
        with _told(), self._client.pipeline() as both:
            both.watch(LOCK)
            if self._lock is None or both.get(LOCK) != self._lock.local.token:
                raise LockError("taken over by another process")
            both.multi()
            yield both
            both.execute()

    def _renew(self) -> None:
        if self._lock is not None:
            self._lock.reacquire()


@contextmanager
def _told() -> Iterator[None]:
    """Errors of the client, as ours. They name the host, never the password."""
    try:
        yield
    except (LockError, WatchError) as error:
        raise OnlineError(f"online store: the writer lost its lock ({error}); try again") from None
    except RedisError as error:
        raise OnlineError(f"online store (redis): {error}; see TIDEMARK_ONLINE_URI") from None
