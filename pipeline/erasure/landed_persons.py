"""What landing tells of the persons: their records, further ids of theirs, and what their ids say."""

from collections.abc import Sequence

import duckdb

from pipeline.erasure import landed_search
from pipeline.erasure.data_files import holding, table_files
from pipeline.erasure.landed_search import LandedRecord
from pipeline.erasure.persons import Persons
from pipeline.erasure.published import landing_files_of, live_files
from pipeline.erasure.words import Words, strangers_of, words_of
from pipeline.runtime.errors import ErasureError
from pipeline.runtime.settings import Settings
from pipeline.sources.user_key import load_user_key, pseudonym
from pipeline.storage.declared import duckdb_sql
from pipeline.storage.suppression import ERASED, fingerprint, suppressed
from pipeline.tables.registry import RAW_EVENTS, TABLES


def search_landing(
    settings: Settings, persons: Persons, unread: set[str], former: Sequence[bytes]
) -> tuple[Persons, Words, list[LandedRecord]]:
    """The persons with every id under which they landed, what these say, and their records.

    Looks into the files that `raw_events` names, those that it does not know yet (`unread`), and those in which a name
    is; once more where a new id came up. Raises LandingError for a file that cannot be read.
    """
    files = {table.name: table_files(settings, table) for table in TABLES.values()}
    persons = persons.with_former(former)
    records: list[LandedRecord] = []
    others: set[str] = set()
    read: set[str] = set()
    while True:
        words = words_of(settings, persons, files, others)
        held = holding(RAW_EVENTS, files[RAW_EVENTS.name], persons.users)
        naming = landed_search.naming_files(settings, words.pattern())
        names = {path.relative_to(settings.landing).as_posix() for path in naming}
        due = (landing_files_of(list(held), persons.users) | unread | names) - read
        known = set(persons.raw_ids)
        if due:
            wanted = persons.users | strangers_of(settings, persons).keys()
            found = landed_search.find_records(settings, wanted, due, persons.addresses)
            theirs = [it for it in found if _is_theirs(settings, persons, it)]
            others |= {it.raw_id for it in found} - {it.raw_id for it in theirs}
            records += theirs
            read |= due
            persons = persons.with_raw_ids(settings, {(it.platform, it.raw_id) for it in theirs}).with_former(former)
        if persons.raw_ids == known:
            return persons, words_of(settings, persons, files, others), records


def check_key(settings: Settings, persons: Persons, records: list[LandedRecord]) -> None:
    """Raises ErasureError when `raw_events` has a file with records of theirs, and no row of theirs from it.

    Its rows have another pseudonym then, which nobody can tell from those of others.
    """
    live = [path for paths in live_files(settings, RAW_EVENTS).values() for path in paths]
    if not live or not records:
        return
    with duckdb.connect() as connection:
        source = duckdb_sql(connection, RAW_EVENTS, live, ["source_file", "account_id", "reject_reason"])
        query = f"""SELECT source_file FROM ({source}) WHERE source_file IN (SELECT unnest($files)) GROUP BY source_file
            HAVING count(*) FILTER (account_id IN (SELECT unnest($users)) OR reject_reason = '{ERASED}') = 0"""
        asked = {"files": sorted({it.file for it in records}), "users": sorted(persons.users)}
        strange = sorted(name for (name,) in connection.execute(query, asked).fetchall())
    if strange:
        raise ErasureError(
            f"landing/{strange[0]} (and {len(strange) - 1} more): expected rows of its records of the person in "
            "raw_events, found none: they were loaded with another user key, or the file has changed since; nothing is "
            "erased yet. Give the earlier key with --former-key, or load the file's day again"
        )


def _is_theirs(settings: Settings, persons: Persons, it: LandedRecord) -> bool:
    """Whether a record is one of the persons', or of somebody who was erased before."""
    identity = f"{it.platform}:{it.raw_id}"
    account = pseudonym(load_user_key(settings.home), identity)
    if account in persons.users or identity.lower() in persons.addresses:
        return True
    return fingerprint(account) in suppressed(settings.home)
