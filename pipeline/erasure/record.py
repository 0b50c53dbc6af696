"""What an erasure did, kept in `erasures/<id>.json` without any name of the person."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pipeline.erasure.persons import Persons
from pipeline.runtime.settings import Settings
from pipeline.storage.staging import write_json
from pipeline.storage.suppression import erasures, fingerprint


@dataclass
class Record:
    """Counts of what was removed. `finished` is empty until the search has found no trace where it can tell."""

    id: str
    began: str
    reason: str
    fingerprints: list[str]
    rows: dict[str, int] = field(default_factory=dict)  # of published days, by table
    days: dict[str, int] = field(default_factory=dict)  # published again, by table
    staged_files: int = 0
    snapshots: dict[str, int] = field(default_factory=dict)  # expired, by table
    landed_records: int = 0
    identity_rows: int = 0
    online_rows: int = 0
    kept_texts: int = 0
    other_files: int = 0
    models: list[dict[str, str]] = field(default_factory=list)
    masked_files: int = 0  # landing files of others in which a name was masked
    files_searched: int = 0
    in_doubt: list[str] = field(default_factory=list)  # what the search cannot tell; without it nothing is left
    finished: str = ""

    def add(self, counter: str, table: str, count: int) -> None:
        """Adds to a count by table; counts of an earlier attempt are kept."""
        counts = getattr(self, counter)
        if count:
            counts[table] = counts.get(table, 0) + count


def open_record(settings: Settings, persons: Persons, began: str, reason: str) -> Record:
    """The record of these persons; one that an earlier attempt began is resumed."""
    prints = sorted(fingerprint(user) for user in persons.users)
    for path in sorted(erasures(settings).glob("*.json")):
        found = Record(**json.loads(path.read_text()))
        if not found.finished and set(found.fingerprints) & set(prints):
            found.fingerprints = sorted({*found.fingerprints, *prints})
            return found
    name = hashlib.sha256(f"{began}{prints}".encode()).hexdigest()[:12]
    return Record(name, began, reason, prints)


def keep(settings: Settings, record: Record) -> Path:
    path = erasures(settings) / f"{record.id}.json"
    write_json(path, asdict(record))
    return path
