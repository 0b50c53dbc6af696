"""DuckDB as a SQLAlchemy engine for Great Expectations, which knows no DuckDB of its own.

GX picks its SQL by the dialect's name, and DuckDB speaks PostgreSQL's (regex is `~`), so this is PostgreSQL over
DuckDB's DB-API. Two things differ. GX reads a result after giving its connection back, which ends DuckDB's result, so
rows are fetched at once (they are metrics: few). And columns are described by DuckDB, not by PostgreSQL's system
tables.
"""

from types import ModuleType
from typing import Any

import duckdb
import sqlalchemy as sa
from sqlalchemy import pool
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.base import PGDialect, PGExecutionContext
from sqlalchemy.engine.cursor import FullyBufferedCursorFetchStrategy

SCHEME = "tidemarkduckdb"


class _NamedType(sa.types.UserDefinedType[Any]):
    """A column type that is only ever printed."""

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **kw: Any) -> str:
        return self.name


class _FetchAtOnce(PGExecutionContext):
    def post_exec(self) -> None:
        super().post_exec()
        if self.cursor.description:
            self.cursor_fetch_strategy = FullyBufferedCursorFetchStrategy(
                self.cursor, self.cursor.description, initial_buffer=self.cursor.fetchall()
            )


class DuckDBDialect(PGDialect):
    """Read-only: no transactions, no reflection but of columns."""

    driver = "duckdb"
    supports_statement_cache = True
    supports_sane_rowcount = False
    execution_ctx_cls = _FetchAtOnce

    @classmethod
    def import_dbapi(cls) -> ModuleType:
        return duckdb

    @classmethod
    def get_pool_class(cls, url: sa.URL) -> type[pool.Pool]:
        return pool.StaticPool

    def create_connect_args(self, url: sa.URL) -> tuple[list[str], dict[str, Any]]:
        return [url.database or ":memory:"], {}

    def on_connect(self) -> None:
        return None

    def initialize(self, connection: sa.Connection) -> None:
        self.default_schema_name = "main"
        self.server_version_info = (15, 0)

    def do_begin(self, dbapi_connection: Any) -> None: ...

    def do_rollback(self, dbapi_connection: Any) -> None: ...

    def do_commit(self, dbapi_connection: Any) -> None: ...

    def do_ping(self, dbapi_connection: Any) -> bool:
        return True

    def has_table(self, connection: sa.Connection, table_name: str, schema: str | None = None, **kw: Any) -> bool:
        return bool(self.get_columns(connection, table_name, schema))

    def get_pk_constraint(
        self, connection: sa.Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> Any:
        return {"constrained_columns": [], "name": None}

    def get_columns(self, connection: sa.Connection, table_name: str, schema: str | None = None, **kw: Any) -> Any:
        described = connection.exec_driver_sql(f'DESCRIBE "{table_name}"').all()
        return [{"name": row[0], "type": _NamedType(row[1]), "nullable": True, "default": None} for row in described]


registry.register(SCHEME, __name__, DuckDBDialect.__name__)
