"""Published partitions as DuckDB views: exactly the files of one snapshot of each table.

A partition that is not published is an empty view, so every figure has an answer on a first night.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb

from pipeline.runtime.settings import Settings
from pipeline.storage.declared import duckdb_sql
from pipeline.storage.inputs import Pins
from pipeline.storage.publications import Publication
from pipeline.tables.registry import table_named

THREADS = 2  # each reads a row group of its own
MEMORY = "1GB"  # beyond it DuckDB spills to the home


class Partitions:
    """What is published, each table as it was when it was first asked for; its days become views on demand."""

    def __init__(self, settings: Settings, connection: duckdb.DuckDBPyConnection) -> None:
        self.settings = settings
        self._connection = connection
        self._pins = Pins(settings)
        self._views: set[str] = set()

    def days(self, table: str) -> dict[str, Publication]:
        """The published days of a table, oldest first."""
        return self._pins.days(table)

    def count(self, table: str, ds: str) -> int | None:
        """Rows of a day; None when it is not published."""
        publication = self.days(table).get(ds)
        return publication.rows if publication else None

    def before(self, table: str, ds: str) -> str | None:
        """The newest published day before `ds`: what a figure is compared with."""
        return max((day for day in self.days(table) if day < ds), default=None)

    def rows(self, query: str, **days: tuple[str, str | None]) -> list[tuple[Any, ...]]:
        """The answer to a query that names its views in braces: `{name}` is (table, ds)."""
        views = {name: self._view(table, ds) for name, (table, ds) in days.items()}
        return self._connection.execute(query.format(**views)).fetchall()

    def range_rows(self, query: str, table: str, days: list[str]) -> list[tuple[Any, ...]]:
        """The same of `{days}`, one view over several days."""
        return self._connection.execute(query.format(days=self._range(table, days))).fetchall()

    def _view(self, table: str, ds: str | None) -> str:
        return self._range(table, [ds] if ds in self.days(table) and ds else [])

    def _range(self, table: str, days: list[str]) -> str:
        name = f"{table}_{'_'.join(days)}"
        if name not in self._views:
            files = self._files(table, days)
            if files:
                self._create(name, table, files, days)
            else:
                self._connection.register(name, table_named(table).schema.empty_table())
            self._views.add(name)
        return f'"{name}"'

    def _files(self, table: str, days: list[str]) -> list[str]:
        return self._pins.files(table, min(days), max(days)) if days else []

    def _create(self, name: str, table: str, files: list[str], days: list[str]) -> None:
        """Columns declared after the files were written are null."""
        declared = table_named(table)
        source = duckdb_sql(self._connection, declared, files, declared.schema.names)
        wanted = ", ".join(f"'{_text(ds)}'" for ds in days)
        self._connection.execute(f'CREATE VIEW "{name}" AS SELECT * FROM ({source}) WHERE ds IN ({wanted})')


@contextmanager
def open_partitions(settings: Settings) -> Iterator[Partitions]:
    """The published partitions of a home, read by a DuckDB in memory."""
    with duckdb.connect() as connection:
        connection.execute(f"SET memory_limit = '{MEMORY}'")
        connection.execute(f"SET temp_directory = '{_text(str(settings.home / 'tmp'))}'")
        connection.execute("SET TimeZone = 'UTC'")
        # Every answer is ordered by its query; keeping the order of files would hold rows back.
        connection.execute("SET preserve_insertion_order = false")
        connection.execute(f"SET threads = {THREADS}")
        yield Partitions(settings, connection)


def _text(value: str) -> str:
    return value.replace("'", "''")
