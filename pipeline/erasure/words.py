"""Which ids of a person are words to look for in what others wrote, and which say too little for that.

- A name is masked there: a pseudonym, an e-mail address, at least six characters with a letter and a digit among them,
  or any id of three characters with its platform before it.
- A doubtful one stays, and where it is found is told: a number of nine digits or more, and a name that is also the id
  of an item or of somebody else, or a word that Tidemark uses itself.
- An ordinary one is not looked for, which is told: any other, such as `12` or `guest`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import duckdb
import polars as pl
import pyarrow as pa

from pipeline.erasure.names import Names, is_address
from pipeline.erasure.persons import Persons
from pipeline.runtime.settings import Settings
from pipeline.sources.identity import read_identities
from pipeline.sources.landing import active_sources, known_platforms
from pipeline.sources.user_key import load_user_key, pseudonym
from pipeline.storage.declared import duckdb_sql
from pipeline.tables.columns import EVENT_TYPES, IDS
from pipeline.tables.registry import IDENTITIES, ITEMS, RAW_EVENTS, TABLES
from pipeline.tables.schema import Table

SHORTEST, DIGITS = 6, 9  # characters of a name, of a number that is worth looking for
PREFIXED = 3  # characters of an id that is a name together with its platform


@dataclass(frozen=True)
class Words:
    """The ids of persons by what they say: names, in doubt, ordinary."""

    names: frozenset[str]
    doubtful: frozenset[str]
    ordinary: frozenset[str]

    def pattern(self) -> Names:
        return Names(self.names, self.doubtful)

    def told(self, settings: Settings, persons: Persons) -> list[str]:
        """Lines on what cannot be looked for, without any id."""
        drops = [drop for it in active_sources(settings) for drop in (it.delivery, it.items) if drop is not None]
        lines = [
            f"landing/{drop.path}: its encoding {drop.encoding} writes letters in a way that is not searched"
            for drop in drops
            if not is_searched(drop.encoding)
        ]
        if self.ordinary:
            lines.append(
                f"{len(self.ordinary)} ids of theirs are too ordinary to be looked for in what others wrote: fewer "
                f"than {SHORTEST} characters, or without a letter and a digit"
            )
        if not persons.raw_ids:
            lines.append("the id under which the person landed is not known, and not looked for")
        return lines


def words_of(settings: Settings, persons: Persons, files: dict[str, list[str]], others: set[str]) -> Words:
    """What to look for. `files`: the data files of tables; `others`: raw ids that are somebody else's, too."""
    raw = {raw for _, raw in persons.raw_ids} | persons.person_ids
    taken = others | _items(raw, files) | _of_others(settings, persons, files) | _vocabulary(settings)
    names = {it for it in raw if is_name(it) and it not in taken}
    doubtful = {it for it in raw if (is_name(it) or is_long_number(it)) and it not in names}
    prefixed = {f"{platform}:{it}" for platform, it in persons.raw_ids if len(it) >= PREFIXED}
    shared = {it for it in prefixed if it.partition(":")[2] in taken}
    return Words(
        frozenset(persons.users | names | (prefixed - shared)),
        frozenset(doubtful | shared),
        frozenset(raw - names - doubtful),
    )


def is_name(raw: str) -> bool:
    """Whether an id can hardly be anything else."""
    if is_address(raw):
        return len(raw) >= SHORTEST
    digits, letters = (any(map(kind, raw)) for kind in (str.isdigit, str.isalpha))
    return len(raw) >= SHORTEST and digits and letters and not _is_number(raw)


def is_searched(encoding: str) -> bool:
    """Whether letters are in texts of this encoding as in ASCII, perhaps with zeros between them."""
    signs = "aZ0@.-_+%"
    return (
        signs.encode(encoding).replace(b"\0", b"").removeprefix(b"\xff\xfe").removeprefix(b"\xef\xbb\xbf")
        == signs.encode()
    )


def is_long_number(raw: str) -> bool:
    return sum(map(str.isdigit, raw)) >= DIGITS and not any(map(str.isalpha, raw))


def _is_number(raw: str) -> bool:
    """Also as 1e10, or in hexadecimal digits."""
    try:
        float(raw)
    except ValueError:
        return raw[:2].lower() == "0x"
    return True


def _items(raw: set[str], files: dict[str, list[str]]) -> set[str]:
    """Those that an item has as its id, on any platform."""
    found: set[str] = set()
    for table in (ITEMS, RAW_EVENTS):
        names = pa.array(sorted(raw), pa.string())
        query = "SELECT DISTINCT id FROM (SELECT substr(item_id, instr(item_id, ':') + 1) AS id FROM {}) WHERE id IN {}"
        found |= _asked(table, files, "item_id", query, names.to_pylist())
    return found


def strangers_of(settings: Settings, persons: Persons) -> dict[str, str]:
    """Accounts that are others', if there are such: those with an id of the persons on another platform → that id."""
    key = load_user_key(settings.home)
    raw = {raw for _, raw in persons.raw_ids}
    accounts = {pseudonym(key, f"{platform}:{it}"): it for platform in known_platforms(settings) for it in raw}
    return {account: it for account, it in accounts.items() if account not in persons.users}


def _of_others(settings: Settings, persons: Persons, files: dict[str, list[str]]) -> set[str]:
    """The ids of the persons that somebody else has on another platform, by the map or the tables."""
    strangers = strangers_of(settings, persons)
    found: set[str] = set()
    for table in (RAW_EVENTS, IDENTITIES):
        query = "SELECT DISTINCT account_id FROM {} WHERE account_id IN {}"
        there = _asked(table, files, "account_id", query, sorted(strangers))
        found |= {strangers[account] for account in there}
    stated = read_identities(settings)
    if stated is not None:
        raw = {raw for _, raw in persons.raw_ids}
        rows = stated.filter(~pl.col("person_id").is_in(persons.person_ids)).select("platform", "raw_id").iter_rows()
        found |= {it for platform, it in rows if it in raw and (platform, it) not in persons.raw_ids}
    return found


def _asked(table: Table, files: dict[str, list[str]], column: str, query: str, values: list[str]) -> set[str]:
    there = files.get(table.name, [])
    if not there or not values:
        return set()
    with duckdb.connect() as connection:
        source = duckdb_sql(connection, table, there, [column])
        text = query.format(f"({source})", "(SELECT unnest($values))")
        return {it for (it,) in connection.execute(text, {"values": values}).fetchall()}


def _vocabulary(settings: Settings) -> set[str]:
    """Words that files hold whoever is erased: names of columns and fields, of platforms, kinds of events."""
    fields = {name for source in active_sources(settings) for name in source.delivery.columns}
    return {*_columns(), *fields, *known_platforms(settings), *EVENT_TYPES, *IDS}


@cache
def _columns() -> frozenset[str]:
    return frozenset(name for table in TABLES.values() for field in table.schema for name in _names(field))


def _names(field: pa.Field) -> Iterator[str]:
    yield field.name
    kind = field.type
    for number in range(kind.num_fields):
        yield from _names(kind.field(number))
