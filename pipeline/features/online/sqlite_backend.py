"""SQLite: a file per night, and one that points.

    features-<version>.db      a night
    features.json              the pointer, replaced by a rename
    features.lock              held by the one that writes, and let go when it dies

A night's file is whole and on disk before the pointer names it, and is removed by one unlink; a reader that still has
it open keeps reading it.
"""

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.features.online.backend import Rows
from pipeline.features.online.night import Nights
from pipeline.runtime.atomic import flush, replace_text
from pipeline.runtime.errors import OnlineError

BATCH = 5000
PATCHED = 500  # rows of one transaction of a night that is read: each may touch a page of its own
UPSERT = """INSERT INTO features VALUES (?, ?)
    ON CONFLICT (user_id) DO UPDATE SET value = excluded.value"""
ASKED = 500  # users of one query; SQLite has a limit
PAGE_BYTES = 32_768  # of 16 KiB a fourth stayed empty
WAIT_SECONDS = 30.0


class SqliteBackend:
    name = "sqlite"

    def __init__(self, file: Path) -> None:
        self._file = file
        self._guard = threading.Lock()
        self._night: tuple[str, sqlite3.Connection] | None = None

    def nights(self) -> Nights:
        try:
            return Nights.from_json(self._pointer.read_text())
        except FileNotFoundError:
            return Nights()

    def fetch(self, version: str, users: list[str]) -> tuple[str, list[bytes | None]]:
        with self._guard:
            serving = self.nights().current
            night = self._open(version) if serving and serving.version == version else None
            if night is None:
                return "", []
            found: dict[str, bytes] = {}
            for start in range(0, len(users), ASKED):
                asked = users[start : start + ASKED]
                marks = ",".join("?" * len(asked))
                query = f"SELECT user_id, value FROM features WHERE user_id IN ({marks})"
                found.update(night.execute(query, asked))
            return version, [found.get(user) for user in users]

    @contextmanager
    def writing(self, wait_seconds: float = 0) -> Iterator[None]:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        try:
            held = FileLock(self._file.with_suffix(".lock")).acquire(wait_seconds)
        except Timeout:
            raise OnlineError("online store: another process writes to it; try again later") from None
        with held:
            yield

    def write(self, version: str, rows: Rows) -> None:
        path = self._path(version)
        with closing(sqlite3.connect(path)) as night, night:
            night.execute(f"PRAGMA page_size = {PAGE_BYTES}")
            night.execute("PRAGMA journal_mode = OFF")  # nobody reads it, and a half one is removed
            night.execute("PRAGMA synchronous = OFF")
            night.execute("CREATE TABLE features (user_id TEXT NOT NULL, value BLOB NOT NULL)")
            while batch := list(islice(rows, BATCH)):
                night.executemany("INSERT INTO features VALUES (?, ?)", batch)
            night.execute("CREATE UNIQUE INDEX by_user ON features (user_id)")
        for written in (path, path.parent):
            flush(written)

    def upsert(self, version: str, rows: Rows) -> None:
        """Batch by batch: readers wait while one is committed. What is replaced becomes zeros."""
        with closing(sqlite3.connect(self._path(version), timeout=WAIT_SECONDS)) as night:
            night.execute("PRAGMA secure_delete = ON")
            while batch := list(islice(rows, PATCHED)):
                with night:
                    night.executemany(UPSERT, batch)

    def count(self, version: str) -> int:
        if not self._path(version).exists():
            return 0
        with closing(sqlite3.connect(self._path(version))) as night:
            return int(night.execute("SELECT count(*) FROM features").fetchone()[0])

    def point(self, nights: Nights) -> None:
        replace_text(self._pointer, nights.to_json(), durable=True)

    def versions(self) -> set[str]:
        stem = self._file.stem + "-"
        found = self._file.parent.glob(f"{stem}*.db*")
        return {path.name.removeprefix(stem).partition(".")[0] for path in found}

    def remove(self, version: str) -> None:
        for path in self._file.parent.glob(f"{self._path(version).name}*"):
            path.unlink()

    def erase(self, version: str, users: list[str]) -> int:
        """Freed space is overwritten with zeros, so the file no longer holds the rows."""
        if not self._path(version).exists():
            return 0
        with closing(sqlite3.connect(self._path(version), timeout=WAIT_SECONDS)) as night, night:
            night.execute("PRAGMA secure_delete = ON")
            before = night.total_changes
            night.executemany("DELETE FROM features WHERE user_id = ?", [[user] for user in users])
            return night.total_changes - before

    def holds(self, version: str, users: Iterable[str]) -> int:
        if not self._path(version).exists():
            return 0
        query = "SELECT count(*) FROM features WHERE user_id = ?"
        with closing(sqlite3.connect(self._path(version))) as night:
            return sum(night.execute(query, [user]).fetchone()[0] for user in users)

    def close(self) -> None:
        with self._guard:
            if self._night:
                self._night[1].close()
            self._night = None

    @property
    def _pointer(self) -> Path:
        return self._file.with_suffix(".json")

    def _path(self, version: str) -> Path:
        return self._file.with_name(f"{self._file.stem}-{version}.db")

    def _open(self, version: str) -> sqlite3.Connection | None:
        """The night's connection, kept open; None when it was removed meanwhile."""
        if self._night is None or self._night[0] != version:
            if self._night:
                self._night[1].close()
            opened = _reader(self._path(version))
            self._night = (version, opened) if opened else None
        return self._night and self._night[1]


def _reader(file: Path) -> sqlite3.Connection | None:
    """Not `mode=ro`: whoever reads first must undo what a writer that was killed left half-done."""
    try:
        reader = sqlite3.connect(
            f"{file.absolute().as_uri()}?mode=rw",
            uri=True,
            check_same_thread=False,
            timeout=WAIT_SECONDS,
        )
    except sqlite3.OperationalError:
        return None
    reader.execute("PRAGMA query_only = ON")
    return reader
