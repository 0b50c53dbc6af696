"""What this home has seen of landed files: the table `sightings` of the state database.

One row per file: its size and time as they were at the last look, when it was first seen, and when a look found it
changed. Times are those of this home's clock.
"""

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import BigInteger, Column, Connection, Float, String, Table, delete, insert, select
from sqlalchemy.exc import IntegrityError

from pipeline.runtime.settings import Settings
from pipeline.runtime.state_database import engine, metadata
from pipeline.sources.completeness import File, Sighting, seen

AT_ONCE = 500  # paths of one query
COLUMNS = ("path", "size", "modified", "first_seen", "changed_at")

sightings = Table(
    "sightings",
    metadata,
    Column("path", String(1024), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("modified", BigInteger, nullable=False),
    Column("first_seen", Float(53), nullable=False),
    Column("changed_at", Float(53), nullable=False),
)


def look(settings: Settings, files: Sequence[File], now: float) -> list[Sighting]:
    """Looks at the files once more, and remembers what is new or has changed."""
    if not files:
        return []
    try:
        return _look(settings, files, now)
    except IntegrityError:  # somebody else saw the same new file at the same time
        return _look(settings, files, now)


def _look(settings: Settings, files: Sequence[File], now: float) -> list[Sighting]:
    with engine(settings).begin() as connection:
        known = _known(connection, [file.path for file in files])
        found = [seen(file, known.get(file.path), now) for file in files]
        changed = [sighting for sighting in found if sighting != known.get(sighting.path)]
        for start in range(0, len(changed), AT_ONCE):
            rows = [{key: asdict(it)[key] for key in COLUMNS} for it in changed[start : start + AT_ONCE]]
            connection.execute(delete(sightings).where(sightings.c.path.in_([row["path"] for row in rows])))
            connection.execute(insert(sightings), rows)
    return found


def _known(connection: Connection, paths: Sequence[str]) -> dict[str, Sighting]:
    known: dict[str, Sighting] = {}
    for start in range(0, len(paths), AT_ONCE):
        rows = connection.execute(select(sightings).where(sightings.c.path.in_(paths[start : start + AT_ONCE])))
        known |= {row["path"]: Sighting(**row) for row in rows.mappings()}
    return known
