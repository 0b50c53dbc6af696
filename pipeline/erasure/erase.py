"""Erasing persons, in an order that can be interrupted anywhere and resumed.

First the list that keeps them out, last the search. Landing files come before the tables that say which files to look
at, the identity map after everything that is found through it.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pipeline.erasure import landed_records, landed_search, other_files
from pipeline.erasure.accounts import renew_accounting, renew_quarantine
from pipeline.erasure.data_files import holding, table_files
from pipeline.erasure.landed_persons import check_key, search_landing
from pipeline.erasure.models import models_trained_on
from pipeline.erasure.names import Names
from pipeline.erasure.persons import Persons, find_persons
from pipeline.erasure.published import Erasing, erase_rows
from pipeline.erasure.record import Record, keep, open_record
from pipeline.erasure.search import files_below, named_in, search
from pipeline.erasure.serving import erase_online, online_rows, renew_online
from pipeline.erasure.snapshots import forget_snapshots, snapshots_holding
from pipeline.erasure.words import Words
from pipeline.runtime.errors import ErasureError
from pipeline.runtime.settings import Settings
from pipeline.sources.identity import identity_file
from pipeline.storage.suppression import erasing, fingerprint, one_erasure, suppress, suppressed
from pipeline.tables.columns import id_columns
from pipeline.tables.registry import ACCOUNTING, QUARANTINE, RAW_EVENTS, TABLES, USER_FEATURES
from pipeline.tables.schema import Table

USER_TABLES = [table for table in TABLES.values() if id_columns(table)]
SHOWN = 5

Held = dict[str, dict[str, int]]  # table -> data file -> rows
Tell = Callable[[str], None]


def erase(settings: Settings, named: list[str], reason: str, tell: Tell, former: Sequence[bytes] = ()) -> Record:
    """Removes the persons from everything below the home and from the online store, and searches for what is left.

    `former`: earlier keys of the home, under which the persons have other pseudonyms. The record says what stays in
    doubt. Raises ErasureError when nothing is known of them, or when the search still finds them.
    """
    with one_erasure(settings):
        return _erase(settings, find_persons(settings, named), named, reason, tell, former)


def _erase(
    settings: Settings, persons: Persons, named: list[str], reason: str, tell: Tell, former: Sequence[bytes]
) -> Record:
    unread = landed_search.unread_files(settings)  # first: a day may be published meanwhile
    persons, words, records = search_landing(settings, persons, unread, former)
    held = {table.name: holding(table, table_files(settings, table), persons.users) for table in USER_TABLES}
    _check_known(settings, persons, held, records, named)
    check_key(settings, persons, records)
    record = open_record(settings, persons, datetime.now(UTC).isoformat("T", "seconds"), reason)
    suppress(settings, persons.users)
    _note_models(settings, record, held)
    keep(settings, record)
    names = words.pattern()
    _erase_landing(settings, record, records, names, tell)
    record.kept_texts += other_files.forget_texts(
        settings,
        other_files.typed_texts({name: list(it) for name, it in held.items()}, persons.users),
    )
    masked = _erase_tables(Erasing(settings, persons.users, f"erasure-{record.id}", names), record, tell)
    record.online_rows += erase_online(settings, persons.users)
    renew_online(settings, masked.get(USER_FEATURES.name, set()))
    tell(f"online store: {record.online_rows} rows removed")
    _erase_other(settings, record, names, tell)
    record.identity_rows += landed_records.remove_identities(settings, persons)
    landed_records.mask_mentions(settings, _only_naming([identity_file(settings)], names), names)
    touched = {found.file for found in records} | landed_search.unread_files(settings)
    _prove(settings, record, persons, words, touched, tell)
    return record


def _check_known(
    settings: Settings,
    persons: Persons,
    held: Held,
    records: list[landed_search.LandedRecord],
    named: list[str],
) -> None:
    erased_before = {fingerprint(user) for user in persons.users} & suppressed(settings.home)
    known = (*held.values(), records, persons.person_ids, erased_before)
    if not any(known) and not online_rows(settings, persons.users):
        raise ErasureError(
            f"user {', '.join(named)}: expected rows in some table or landing file, found none; "
            "see `python -m pipeline user ID`, and mind capital letters in a raw id"
        )


def _note_models(settings: Settings, record: Record, held: Held) -> None:
    """Lists the models before the snapshots that identify them are removed."""
    snapshots = {table.name: snapshots_holding(settings, table, set(held[table.name])) for table in USER_TABLES}
    known = {model["run_id"]: model for model in record.models if model["evidence"] == "certain"}
    found = {model["run_id"]: model for model in models_trained_on(settings, snapshots)}
    record.models = sorted((found | known).values(), key=lambda model: model["run_id"])


def _erase_landing(
    settings: Settings, record: Record, records: list[landed_search.LandedRecord], names: Names, tell: Tell
) -> None:
    blanked = landed_records.blank_records(settings, [(it.file, it.line) for it in records if not it.shared])
    record.landed_records += sum(blanked.values())
    tell(f"landing: {sum(blanked.values())} records of {len(blanked)} files blanked")
    naming = [path for path in landed_search.naming_files(settings, names) if path != identity_file(settings)]
    masked = landed_records.mask_mentions(settings, naming, names)
    record.masked_files += len(masked)
    tell(f"landing: names masked in the records of others in {len(masked)} files")
    keep(settings, record)


def _erase_tables(work: Erasing, record: Record, tell: Tell) -> dict[str, set[str]]:
    """Returns the days of each table that were published again."""
    days: dict[str, set[str]] = {}
    with erasing(work.settings):
        for table in sorted(TABLES.values(), key=lambda table: table is not RAW_EVENTS):
            if table is not QUARANTINE:  # made from what is erased of raw_events
                days[table.name] = set(_note(record, table, erase_rows(work, table), tell))
        _note(record, QUARANTINE, renew_quarantine(work), tell)
        _note(record, ACCOUNTING, renew_accounting(work), tell)
        for table in TABLES.values():
            held, mentioned = work.files(table)
            gone = held.keys() | mentioned
            record.add("snapshots", table.name, forget_snapshots(work.settings, table, gone))
            for file in gone:
                Path(file).unlink()
            record.staged_files += len(gone)
            keep(work.settings, record)
    tell(f"staging: {record.staged_files} data files removed")
    tell(f"snapshots: {sum(record.snapshots.values())} expired; no rollback can reach them")
    return days


def _note(record: Record, table: Table, days: dict[str, int], tell: Tell) -> dict[str, int]:
    record.add("rows", table.name, sum(days.values()))
    record.add("days", table.name, len(days))
    if days:
        tell(f"{table.name}: {sum(days.values())} rows of {len(days)} days, published again")
    return days


def _erase_other(settings: Settings, record: Record, names: Names, tell: Tell) -> None:
    record.other_files += other_files.forget_imports(settings)
    known = (settings.staging, settings.warehouse, settings.landing, settings.sources)
    every = [it for it in files_below(settings.home) if not any(it.is_relative_to(folder) for folder in known)]
    files = _only_naming(every, names)
    record.other_files += other_files.strike_from_lists(settings, files, names)
    record.other_files += other_files.overwrite_names(files, names)
    record.other_files += other_files.drop_rows(files, names)
    tell(f"logs, pages and other files: {record.other_files} cleared")


def _only_naming(files: Iterable[Path], names: Names) -> list[Path]:
    return [path for path in files if landed_search.is_regular(path) and named_in(path, names)]


def _prove(settings: Settings, record: Record, persons: Persons, words: Words, touched: set[str], tell: Tell) -> None:
    """Searches everything once more. Raises ErasureError naming what still mentions the person."""
    found = search(settings, words.pattern())
    record.files_searched = found.files
    places = [str(path.relative_to(settings.home)) for path in found.named]
    again = landed_search.find_records(settings, persons.users, touched, persons.addresses)
    places += sorted({f"landing/{it.file}" for it in again if not it.shared})
    if online_rows(settings, persons.users):
        places.append("the online store")
    keep(settings, record)
    if places:
        raise ErasureError(
            f"erasure {record.id}: expected no trace, found one in {len(places)} places: "
            f"{', '.join(places[:SHOWN])}; erase once more, or remove what is no part of Tidemark"
        )
    record.in_doubt = [
        *words.told(settings, persons),
        *(f"{path.relative_to(settings.home)}: {why}" for path, why in found.doubts.items()),
    ]
    record.in_doubt += sorted({f"landing/{it.file}: a record of theirs holds rows of others too" for it in again})
    record.finished = datetime.now(UTC).isoformat("T", "seconds")
    keep(settings, record)
    left = f"no trace where it can tell, {len(record.in_doubt)} in doubt" if record.in_doubt else "no trace"
    tell(f"search: {record.files_searched} files, {left}")
