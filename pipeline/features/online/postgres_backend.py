"""Postgres: a table per night, `tidemark_online_<version>`, and one row as the pointer.

A read is one statement: pointer and values come from one snapshot of the database. The lock is an advisory one of the
writer's connection, so it ends with it.
"""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import psycopg
from psycopg import Connection, sql
from psycopg.errors import UndefinedTable

from pipeline.features.online.backend import Rows
from pipeline.features.online.night import Nights
from pipeline.runtime.errors import OnlineError

POINTER = sql.Identifier("tidemark_online")
PREFIX = "tidemark_online_"
LOCK = 7_446_361_201  # any number that no other program uses
READ = """SELECT p.nights, f.user_id, f.value FROM {} p
    LEFT JOIN {} f ON f.user_id = ANY(%s)"""
UPSERT = """INSERT INTO {} VALUES (%s, %s)
    ON CONFLICT (user_id) DO UPDATE SET value = EXCLUDED.value"""


class PostgresBackend:
    name = "postgres"

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._guard = threading.Lock()
        self._connection: Connection | None = None

    def nights(self) -> Nights:
        try:
            found = self._run(sql.SQL("SELECT nights FROM {}").format(POINTER))
        except UndefinedTable:
            return Nights()
        return Nights.from_json(found[0][0] if found else None)

    def fetch(self, version: str, users: list[str]) -> tuple[str, list[bytes | None]]:
        try:
            rows = self._run(sql.SQL(READ).format(POINTER, _table(version)), [users])
        except UndefinedTable:
            return "", []
        serving = Nights.from_json(rows[0][0]).current if rows else None
        found = {user: value for _, user, value in rows if user is not None}
        return serving.version if serving else "", [found.get(user) for user in users]

    @contextmanager
    def writing(self, wait_seconds: float = 0) -> Iterator[None]:
        limit = time.monotonic() + wait_seconds
        while not self._run("SELECT pg_try_advisory_lock(%s)", [LOCK])[0][0]:
            if time.monotonic() >= limit:
                raise OnlineError("online store: another process writes to it; try again later")
            time.sleep(0.1)
        try:
            self._run(sql.SQL("CREATE TABLE IF NOT EXISTS {} (nights text)").format(POINTER))
            yield
        finally:
            if self._connection and not self._connection.closed:
                self._run("SELECT pg_advisory_unlock(%s)", [LOCK])

    def write(self, version: str, rows: Rows) -> None:
        table = _table(version)
        with self._told() as connection, connection.transaction():
            connection.execute(sql.SQL("CREATE TABLE {} (user_id text, value bytea)").format(table))
            # Values are compressed already: trying again would cost time and gain nothing.
            plain = sql.SQL("ALTER TABLE {} ALTER COLUMN value SET STORAGE EXTERNAL")
            connection.execute(plain.format(table))
            into = sql.SQL("COPY {} (user_id, value) FROM STDIN (FORMAT BINARY)").format(table)
            with connection.cursor().copy(into) as copy:
                copy.set_types(["text", "bytea"])
                for row in rows:
                    copy.write_row(row)
            connection.execute(sql.SQL("ALTER TABLE {} ADD PRIMARY KEY (user_id)").format(table))

    def upsert(self, version: str, rows: Rows) -> None:
        """One transaction: readers see all of it or nothing."""
        with self._told() as connection, connection.transaction():
            connection.cursor().executemany(sql.SQL(UPSERT).format(_table(version)), rows)

    def count(self, version: str) -> int:
        return int(self._run(sql.SQL("SELECT count(*) FROM {}").format(_table(version)))[0][0])

    def point(self, nights: Nights) -> None:
        with self._told() as connection, connection.transaction():
            connection.execute(sql.SQL("DELETE FROM {}").format(POINTER))
            insert = sql.SQL("INSERT INTO {} VALUES (%s)").format(POINTER)
            connection.execute(insert, [nights.to_json()])

    def versions(self) -> set[str]:
        query = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
        names = [name for (name,) in self._run(query)]
        return {name.removeprefix(PREFIX) for name in names if name.startswith(PREFIX)}

    def remove(self, version: str) -> None:
        self._run(sql.SQL("DROP TABLE IF EXISTS {}").format(_table(version)))

    def erase(self, version: str, users: list[str]) -> int:
        """VACUUM FULL rewrites the table: a deleted row would stay on disk until then."""
        gone = sql.SQL("DELETE FROM {} WHERE user_id = ANY(%s) RETURNING 1").format(_table(version))
        removed = len(self._run(gone, [users]))
        if removed:
            self._run(sql.SQL("VACUUM FULL {}").format(_table(version)))
        return removed

    def holds(self, version: str, users: Iterable[str]) -> int:
        query = sql.SQL("SELECT count(*) FROM {} WHERE user_id = ANY(%s)").format(_table(version))
        return int(self._run(query, [list(users)])[0][0])

    def close(self) -> None:
        with self._guard:
            if self._connection:
                self._connection.close()
            self._connection = None

    def _run(self, query: str | sql.Composed, values: list | None = None) -> list[tuple]:
        with self._told() as connection:
            cursor = connection.execute(query, values, prepare=values is not None)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def _told(self) -> Iterator[Connection]:
        """The connection, for one thread at a time; errors of the client, as ours."""
        with self._guard:
            try:
                if self._connection is None or self._connection.closed:
                    self._connection = psycopg.connect(self._uri, autocommit=True)
                yield self._connection
            except UndefinedTable:
                raise
            except psycopg.Error as error:
                reason = str(error).splitlines()[0] if str(error) else type(error).__name__
                raise OnlineError(f"online store (postgres): {reason}") from None


def _table(version: str) -> sql.Identifier:
    return sql.Identifier(PREFIX + version)
