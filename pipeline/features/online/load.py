"""Loading a night next to the serving one, then moving the pointer."""

import time

import pyarrow as pa
from pyiceberg.table import DataScan

from pipeline.features.online.backend import Backend, Rows
from pipeline.features.online.night import Night, Nights
from pipeline.features.online.row_codec import encode, to_text, value_schema
from pipeline.runtime.errors import NotPublishedError, OnlineError
from pipeline.runtime.settings import Settings
from pipeline.storage.catalog import load_table
from pipeline.storage.publications import Publication, publications
from pipeline.tables.registry import table_named

FEATURES = table_named("user_features")


def load_night(settings: Settings, backend: Backend, ds: str, force: bool = False, wait_seconds: float = 0) -> str:
    """Loads the published day, lets it serve, removes what is older than the night before.

    Returns what was done. A day that serves already, was rolled back, or is older than the one that serves is left
    alone unless `force` is given. Waits for another writer for the given time. Raises NotPublishedError and
    OnlineError.
    """
    with backend.writing(wait_seconds):
        nights = backend.nights()
        _sweep(backend, nights)
        publication, scan = _published(settings, ds)
        why_not = "" if force else nights.why_not(ds, publication)
        if why_not:
            return f"nothing to do: {why_not}"
        night = _write(backend, ds, publication, scan)
        backend.point(nights.forward(night))
        _sweep(backend, nights.forward(night))
    return f"ds={ds} serves: {night.rows} users, version {night.version}"


def roll_back(backend: Backend) -> str:
    """Lets the previous night serve: one move of the pointer, nothing is loaded."""
    with backend.writing():
        back = backend.nights().back()
        backend.point(back)
    assert back.current and back.left
    return f"ds={back.current.ds} serves again ({back.current.rows} users), not ds={back.left.ds}"


def encoded(scan: DataScan, schema: pa.Schema) -> Rows:
    """The rows of a scan as the store keeps them."""
    for batch in scan.to_arrow_batch_reader():
        if batch.num_rows:
            yield from encode(batch, schema)


def _published(settings: Settings, ds: str) -> tuple[Publication, DataScan]:
    """The publication and its rows, of one snapshot."""
    iceberg = load_table(settings, FEATURES)
    publication = publications(iceberg).get(ds)
    if iceberg is None or publication is None:
        raise NotPublishedError(f"user_features ds={ds}: not published; score the day first")
    return publication, iceberg.scan(f"ds = '{ds}'")


def _write(backend: Backend, ds: str, publication: Publication, scan: DataScan) -> Night:
    """Writes and counts a night under a fresh version."""
    schema = value_schema(_columns(scan))
    version = f"{ds.replace('-', '')}_{time.time_ns():x}"
    backend.write(version, encoded(scan, schema))
    found = backend.count(version)
    if found != publication.rows:
        backend.remove(version)
        raise OnlineError(
            f"online store ds={ds}: expected {publication.rows} users (published), found {found} "
            "after loading; load it again"
        )
    return Night(version, ds, publication.digest, found, to_text(schema))


def _columns(scan: DataScan) -> pa.Schema:
    """The declared columns that the table has: one that was never published has none of the new."""
    there = set(scan.projection().column_names)
    return pa.schema([column for column in FEATURES.schema if column.name in there])


def _sweep(backend: Backend, nights: Nights) -> None:
    """Removes every version that the pointer does not name: old and half-loaded ones."""
    for version in sorted(backend.versions() - nights.versions):
        backend.remove(version)
