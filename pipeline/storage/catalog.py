"""The Iceberg catalogue: SQLite in the home by default, any SQLAlchemy URI in production."""

import time

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.io.pyarrow import _pyarrow_to_schema_without_ids, schema_to_pyarrow
from pyiceberg.partitioning import PARTITION_FIELD_ID_START, PartitionField, PartitionSpec
from pyiceberg.schema import Schema, assign_fresh_schema_ids
from pyiceberg.table import Table as IcebergTable
from pyiceberg.transforms import IdentityTransform
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

from pipeline.runtime.errors import SettingsError
from pipeline.runtime.settings import Settings
from pipeline.runtime.state_database import database_uri
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
    """The catalogue, with its tables and namespace created where missing.

    Two processes that both find a fresh home race to create them; the loser retries.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    uri = database_uri(settings)
    for tries_left in reversed(range(CREATORS)):
        try:
            catalog = SqlCatalog(NAMESPACE, uri=uri, warehouse=settings.warehouse.as_uri())
            catalog.create_namespace_if_not_exists(NAMESPACE)
            break
        except (IntegrityError, OperationalError, ProgrammingError):
            if not tries_left:
                raise
            time.sleep(CREATION_SECONDS)
    return catalog


def load_table(settings: Settings, table: Table) -> IcebergTable | None:
    """The Iceberg table, or None if nothing of it was ever published."""
    try:
        return open_catalog(settings).load_table((NAMESPACE, table.name))
    except NoSuchTableError:
        return None


def own_table(settings: Settings, table: Table) -> IcebergTable | None:
    """The same, for writing. Raises SettingsError if its files are those of another home."""
    iceberg = load_table(settings, table)
    if iceberg:
        _check_own(settings, iceberg)
    return iceberg


def ensure_table(settings: Settings, table: Table) -> IcebergTable:
    """The Iceberg table, created on first use; columns declared since then are added."""
    iceberg = load_table(settings, table) or open_catalog(settings).create_table_if_not_exists(
        (NAMESPACE, table.name),
        schema=_iceberg_schema(table),
        partition_spec=PartitionSpec(PartitionField(DS_FIELD_ID, PARTITION_FIELD_ID_START, IdentityTransform(), "ds")),
        properties={**TABLE_PROPERTIES, "comment": table.meaning},
    )
    _check_own(settings, iceberg)
    added = set(table.schema.names) - set(iceberg.schema().column_names)
    if added:
        # Rows of earlier days have none of it: to Iceberg it is optional, the audit requires it.
        fields = [f.with_nullable(True) if f.name in added else f for f in table.schema]
        with iceberg.update_schema() as update:
            update.union_by_name(_as_iceberg(pa.schema(fields)))
    return iceberg


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


def _iceberg_schema(table: Table) -> Schema:
    return _as_iceberg(table.schema)


def _as_iceberg(schema: pa.Schema) -> Schema:
    return assign_fresh_schema_ids(_pyarrow_to_schema_without_ids(schema))
