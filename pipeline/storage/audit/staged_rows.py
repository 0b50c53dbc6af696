"""The staged rows of a table in DuckDB: exactly the files that the manifests name."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb

from pipeline.runtime.settings import Settings
from pipeline.storage.audit.expectations import Rule, quoted
from pipeline.storage.staging import Manifest
from pipeline.tables.columns import IDS
from pipeline.tables.schema import Table

VIEW = "staged"
MEMORY = "2GB"  # beyond it DuckDB spills to the home
PSEUDONYM = "^[0-9a-f]{32}$"
SAMPLE = 3


@dataclass(frozen=True)
class StagedRows:
    """A database in memory, shared by name with Great Expectations."""

    table: Table
    database: str
    connection: duckdb.DuckDBPyConnection

    def content(self) -> dict[str, dict[str, object]]:
        """Rows and digest per day. The digest is the sum over rows of a 64-bit hash of all values.

        So equal rows in another order, or cut into other files, have an equal digest. Doubles hash by value and
        instants as UTC microseconds; lists and maps hash in their order, so a job must write both in a fixed order.
        DuckDB's hash may change with its version: the next rerun of a day is then published once more instead of being
        a no-op.
        """
        columns = ", ".join(quoted(name) for name in self.table.schema.names)
        digest = f"sum(hash({columns})::HUGEINT)"
        query = f"SELECT ds, count(*), {digest} FROM {VIEW} GROUP BY ds ORDER BY ds"
        found = self.connection.execute(query).fetchall()
        return {ds: {"rows": rows, "digest": f"{total:x}"} for ds, rows, total in found}

    def failing_days(self, rule: Rule) -> dict[str, int]:
        """Rows of each day that break the rule."""
        query = f"SELECT ds, count(*) FROM {VIEW} WHERE {rule.breaks} GROUP BY ds ORDER BY ds"
        return dict(self.connection.execute(query).fetchall())

    def failing_rows(self, rule: Rule) -> list[dict[str, object]]:
        """A few rows that break the rule; what is not a pseudonym is never shown as a user."""
        columns = ", ".join(_shown(name) for name in dict.fromkeys(("ds", *rule.shows)))
        query = f"SELECT {columns} FROM {VIEW} WHERE {rule.breaks} ORDER BY ALL LIMIT {SAMPLE}"
        cursor = self.connection.execute(query)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@contextmanager
def staged_rows(settings: Settings, table: Table, manifests: list[Manifest], rules: list[Rule]) -> Iterator[StagedRows]:
    """The view `staged` over the files, with the computed columns that the rules look at."""
    database = f":memory:audit-{table.name}-{uuid.uuid4().hex}"
    with duckdb.connect(database) as connection:
        connection.execute(f"SET memory_limit = '{MEMORY}'")
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"SET temp_directory = '{_text(str(settings.home / 'tmp'))}'")
        connection.execute(_view_sql(data_files(manifests), rules))
        yield StagedRows(table, database, connection)


def data_files(manifests: list[Manifest]) -> list[str]:
    """Every staged data file."""
    return [path for manifest in manifests for paths in manifest.days.values() for path in paths]


def parquet_sql(files: list[str], names: bool = False) -> str:
    """The DuckDB table function over exactly these files; `names` adds the column `filename`."""
    listed = ", ".join(f"'{_text(path)}'" for path in files)
    named = ", filename = true" if names else ""
    return f"read_parquet([{listed}], hive_partitioning = false{named})"


def _view_sql(files: list[str], rules: list[Rule]) -> str:
    computed = "".join(
        f", {rule.computed} AS {quoted(str(rule.arguments['column']))}" for rule in rules if rule.computed
    )
    return f"CREATE VIEW {VIEW} AS SELECT *{computed} FROM {parquet_sql(files)}"


def _shown(name: str) -> str:
    if name not in IDS:
        return quoted(name)
    return (
        f"CASE WHEN {name} IS NULL OR regexp_full_match({name}, '{PSEUDONYM}') THEN {name} "
        f"ELSE 'withheld: no pseudonym' END AS {name}"
    )


def _text(value: str) -> str:
    return value.replace("'", "''")
