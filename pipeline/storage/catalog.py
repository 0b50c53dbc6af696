"""The Iceberg catalogue: SQLite in the home by default, any SQLAlchemy URI in production."""

import os
import time
from contextlib import suppress
from functools import cache

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import CommitFailedException, NoSuchTableError
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.partitioning import PARTITION_FIELD_ID_START, PartitionField, PartitionSpec
from pyiceberg.table import Table as IcebergTable
from pyiceberg.transforms import IdentityTransform
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

from pipeline.runtime.errors import SettingsError
from pipeline.runtime.settings import Settings
from pipeline.runtime.state_database import database_inode, database_uri
from pipeline.storage.migration import DECLARED, as_declared_view, declared_property, iceberg_schema, migrated
from pipeline.tables.registry import TABLES
from pipeline.tables.schema import Table

NAMESPACE = "tidemark"
CREATORS = 10  # processes that may create the catalogue at once
CREATION_SECONDS = 0.2
DS_FIELD_ID = 1  # `ds` is the first column of every table
TABLE_PROPERTIES = {
    "format-version": "2",
    # Four writers on SQLite lose nothing with these; pyiceberg's defaults give up too early.
    "commit.retry.num-retries": "20",
    "commit.retry.min-wait-ms": "20",
    "commit.retry.max-wait-ms": "1000",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "100",
}


def open_catalog(settings: Settings) -> SqlCatalog:
    """The catalogue, with its tables and namespace created where missing; one per process."""
    # A file that was restored from a backup is another one. A forked process shares no connection.
    uri = database_uri(settings)
    return _open(uri, settings.warehouse.as_uri(), database_inode(settings), os.getpid())


@cache
def _open(uri: str, warehouse: str, _inode: int, _process: int) -> SqlCatalog:
    """Two processes that both find a fresh home race to create the tables; the loser retries."""
    for tries_left in reversed(range(CREATORS)):
        try:
            catalog = SqlCatalog(NAMESPACE, uri=uri, warehouse=warehouse)
            catalog.create_namespace_if_not_exists(NAMESPACE)
            break
        except (IntegrityError, OperationalError, ProgrammingError):
            if not tries_left:
                raise
            time.sleep(CREATION_SECONDS)
    return catalog


def load_table(settings: Settings, table: Table) -> IcebergTable | None:
    """The Iceberg table as declared, or None if nothing of it was ever published.

    Also of a home of an earlier version, which a reader leaves as it is. Raises ContractError when what is published
    cannot be read as declared.
    """
    iceberg = _load(settings, table)
    return as_declared_view(iceberg, table) if iceberg else None


def own_table(settings: Settings, table: Table) -> IcebergTable | None:
    """The table as the catalogue has it, for writing. Raises SettingsError if its files are those of another home."""
    iceberg = _load(settings, table)
    if iceberg:
        _check_own(settings, iceberg)
    return iceberg


def ensure_table(settings: Settings, table: Table) -> IcebergTable:
    """The Iceberg table, created on first use, and brought to its declaration when an earlier version made it.

    Raises ContractError for a change of the declaration that published rows cannot follow.
    """
    iceberg = _load(settings, table) or open_catalog(settings).create_table_if_not_exists(
        (NAMESPACE, table.name),
        schema=iceberg_schema(table),
        partition_spec=PartitionSpec(PartitionField(DS_FIELD_ID, PARTITION_FIELD_ID_START, IdentityTransform(), "ds")),
        properties={**TABLE_PROPERTIES, "comment": table.meaning, DECLARED: declared_property(table)},
    )
    _check_own(settings, iceberg)
    for _ in range(CREATORS):
        migration = migrated(iceberg, table)
        if migration is None:
            break
        with suppress(CommitFailedException):  # another process has just done the same
            migration.commit_transaction()
        iceberg.refresh()
    return iceberg


def migrate(settings: Settings) -> list[str]:
    """Brings every table of a home to its declaration; returns the names of those that changed."""
    changed = []
    for table in TABLES.values():
        iceberg = own_table(settings, table)
        if iceberg and migrated(iceberg, table):
            ensure_table(settings, table)
            changed.append(table.name)
    return changed


def file_schema(settings: Settings, table: Table) -> pa.Schema:
    """The Arrow schema that data files are written with: the table's, with Iceberg field ids.

    Iceberg appends columns that were declared later, and as optional ones; files have all in the declared order, and
    required where they are declared so.
    """
    found = schema_to_pyarrow(ensure_table(settings, table).schema())
    return pa.schema([found.field(it.name).with_nullable(it.nullable) for it in table.schema])


def _check_own(settings: Settings, iceberg: IcebergTable) -> None:
    """Raises SettingsError in a copied home: its catalogue names the other's files, so that a publish here would write
    there.
    """
    expected, found = settings.warehouse.as_uri(), iceberg.location()
    if not found.startswith(f"{expected}/"):
        raise SettingsError(
            f"catalogue: expected tables below {expected}, found one at {found}; homes cannot be "
            "copied or moved, since catalogues name files by whole paths: load the days again in a "
            "new home, or put this one back"
        )


def _load(settings: Settings, table: Table) -> IcebergTable | None:
    try:
        return open_catalog(settings).load_table((NAMESPACE, table.name))
    except NoSuchTableError:
        return None
