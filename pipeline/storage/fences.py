"""Fences: numbers that say which of two attempts began later.

They come from one counter in the catalogue's database, never from a host's clock: clocks of two hosts disagree, and one
that is set back would let an old attempt win.
"""

import time
from contextlib import suppress

from sqlalchemy import BigInteger, Column, Integer, Table, case, insert, select, update
from sqlalchemy.exc import IntegrityError

from pipeline.runtime.settings import Settings
from pipeline.runtime.state_database import engine, metadata

FENCES = Table("fences", metadata, Column("id", Integer, primary_key=True), Column("value", BigInteger, nullable=False))
ONLY = 1  # id of the one row


def next_fence(settings: Settings, above: int = 0) -> int:
    """A number greater than all that were given out before, and than `above`.

    An attempt takes it before it looks anything up: so of two attempts the one with the greater fence has seen at least
    what was there when the other one began. `above` matters only with a catalogue that is a backup.
    """
    higher = case((FENCES.c.value < above, above), else_=FENCES.c.value) + 1
    while True:
        with engine(settings).begin() as connection:
            moved = connection.execute(update(FENCES).where(FENCES.c.id == ONLY).values(value=higher)).rowcount
            if moved:
                return int(connection.execute(select(FENCES.c.value)).scalar_one())
        _create(settings)


def _create(settings: Settings) -> None:
    """The counter begins above the fences of earlier versions, which were times in nanoseconds."""
    with suppress(IntegrityError), engine(settings).begin() as connection:  # another process may be first
        connection.execute(insert(FENCES).values(id=ONLY, value=time.time_ns()))
