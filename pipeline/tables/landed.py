"""The ledger of landed files: what each day of raw events was made of."""

from pipeline.tables.columns import DS, PLATFORM
from pipeline.tables.schema import INSTANT, LONG, STRING, Column, Table

LANDED_FILES = Table(
    "landed_files",
    "the ledger: every landed file that `raw_events` of the day holds the records of",
    (
        DS,
        PLATFORM,
        Column("path", STRING, "the file, relative to landing/", True),
        Column("size", LONG, "size when it was read", True, "bytes", 0),
        Column("modified", INSTANT, "modification time when it was read", True, "UTC"),
        Column("sha256", STRING, "SHA-256 of its bytes", True, pattern="[0-9a-f]{64}"),
        Column("records", LONG, "records in it", True, "records", 0),
        Column("first_seen", INSTANT, "when it was first seen", True, "UTC"),
        Column("run", STRING, "run that read it", True),
        Column("attempt", STRING, "attempt of that run which staged its records", True),
    ),
    key=("path",),
)
