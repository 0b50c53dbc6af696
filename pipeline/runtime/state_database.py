"""The database beside the tables: what is known about publications that is no property of one table.

It is the catalogue's own database, so that a backup of one is a backup of both. A package that keeps something there
declares its SQL tables with `metadata`; they are created on first use.
"""

import time
from functools import cache

from sqlalchemy import Engine, MetaData, NullPool, create_engine, text
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

from pipeline.runtime.private import make_home, private_file
from pipeline.runtime.settings import Settings

metadata = MetaData()
CREATORS = 10  # processes that may create the tables at once
CREATION_SECONDS = 0.2
LOCK_SECONDS = 60  # how long a writer waits for another one on SQLite


def database_uri(settings: Settings) -> str:
    """SQLAlchemy URI of the catalogue's database."""
    return settings.catalog_uri or f"sqlite:///{settings.home}/catalog.db?timeout={LOCK_SECONDS}"


def database_inode(settings: Settings) -> int:
    """The number of the catalogue's file, which is created where it is missing; 0 for another database."""
    make_home(settings.home)
    return 0 if settings.catalog_uri else private_file(settings.home / "catalog.db").stat().st_ino


def engine(settings: Settings) -> Engine:
    """An engine on the database, with every declared table created; one per process and set of tables."""
    # A file that was restored from a backup is another file, and may lack tables.
    made = _engine(database_uri(settings), database_inode(settings), frozenset(metadata.tables))
    if made.dialect.name == "sqlite" and not _has_tables(made):  # a new file may get the number of an old one
        _create(made)
    return made


@cache
def _engine(uri: str, _inode: int, tables: frozenset[str]) -> Engine:
    is_sqlite = uri.startswith("sqlite")
    # A pooled connection would go on with a file that was replaced.
    made = (
        create_engine(uri, poolclass=NullPool, connect_args={"timeout": LOCK_SECONDS})
        if is_sqlite
        else (create_engine(uri))
    )
    _create(made)
    return made


def _has_tables(made: Engine) -> bool:
    with made.connect() as connection:
        found = {row[0] for row in connection.execute(text("SELECT name FROM sqlite_master"))}
    return found.issuperset(metadata.tables)


def _create(made: Engine) -> None:
    for tries_left in reversed(range(CREATORS)):
        try:
            metadata.create_all(made)
            break
        except (IntegrityError, OperationalError, ProgrammingError):  # another process creates them too
            if not tries_left:
                raise
            time.sleep(CREATION_SECONDS)
