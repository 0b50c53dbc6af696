"""The list of erased users, and the gate between erasing and publishing.

    erasures/suppressed.txt     SHA-256 of each erased `user_id` and `account_id`, one per line

The list keeps an erased person out for good: ingest rejects their rows, and what a job staged from rows that it had
read before is refused at publishing. It holds hashes of pseudonyms, so it reveals nothing except about ids that are
looked up in it.
"""

import fcntl
import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.runtime.atomic import replace_text
from pipeline.runtime.errors import FencedError
from pipeline.runtime.settings import Settings
from pipeline.tables.columns import id_columns
from pipeline.tables.schema import Table

ERASED = "erased"  # reject reason of a row that was an erased person's


def erasures(settings: Settings) -> Path:
    """Folder of the list and of what was done."""
    return settings.home / "erasures"


def fingerprint(user: str) -> str:
    """SHA-256 of a `user_id` or `account_id`, in hex."""
    return hashlib.sha256(user.encode()).hexdigest()


def suppressed(home: Path) -> frozenset[str]:
    """Fingerprints of the erased users of a home."""
    file = home / "erasures" / "suppressed.txt"
    return frozenset(file.read_text().split()) if file.exists() else frozenset()


def suppress(settings: Settings, users: Iterable[str]) -> None:
    """Adds users to the list. Everything published from now on is checked against it."""
    with erasing(settings):
        known = suppressed(settings.home) | {fingerprint(user) for user in users}
        replace_text(erasures(settings) / "suppressed.txt", "".join(f"{one}\n" for one in sorted(known)))


@contextmanager
def erasing(settings: Settings) -> Iterator[None]:
    """Keeps others from publishing in the meantime."""
    with _gate(settings, fcntl.LOCK_EX):
        yield


@contextmanager
def one_erasure(settings: Settings) -> Iterator[None]:
    """One erasure at a time: each would find the other's files half-done."""
    from filelock import FileLock

    erasures(settings).mkdir(parents=True, exist_ok=True)
    with FileLock(erasures(settings) / "erase.lock"):
        yield


@contextmanager
def publishing(settings: Settings, table: Table, files: Iterable[str]) -> Iterator[None]:
    """Nobody erases meanwhile, and `files` hold no erased person.

    Raises FencedError when they do, and removes those files: they were staged from rows that were read before the
    person was erased.
    """
    with _gate(settings, fcntl.LOCK_SH):
        held = _erased_files(settings, table, list(files))
        for file in held:
            Path(file).unlink()
        if held:
            raise FencedError(
                f"{table.name}: expected no row of an erased person, found some in {len(held)} "
                "staged files, which are removed: the job began before the erasure; run the job "
                "again"
            )
        yield


def _erased_files(settings: Settings, table: Table, files: list[str]) -> list[str]:
    erased = suppressed(settings.home)
    files = [file for file in files if Path(file).exists()]
    names = id_columns(table)
    if not erased or not files or not names:
        return []
    import duckdb

    from pipeline.storage.audit.staged_rows import parquet_sql

    query = f"""SELECT DISTINCT filename FROM (
        SELECT DISTINCT filename, unnest([{", ".join(names)}]) AS id FROM {parquet_sql(files, names=True)})
        WHERE sha256(id) IN (SELECT unnest(?))"""
    with duckdb.connect() as connection:
        return [file for (file,) in connection.execute(query, [sorted(erased)]).fetchall()]


@contextmanager
def _gate(settings: Settings, mode: int) -> Iterator[None]:
    """Held by one eraser or by many publishers, which FileLock does not support."""
    erasures(settings).mkdir(parents=True, exist_ok=True)
    with (erasures(settings) / "gate.lock").open("a") as file:
        fcntl.flock(file, mode)
        yield
