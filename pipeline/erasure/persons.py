"""Who is to be erased: every pseudonym and every platform's id of the persons named."""

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from pipeline.runtime.errors import UsageError
from pipeline.runtime.settings import Settings
from pipeline.sources.landing import IDENTITY
from pipeline.sources.user_key import load_user_key, pseudonym
from pipeline.tables.registry import USER

SHORTEST, DIGITS = 6, 9  # a shorter id, or number, is no evidence: other numbers look like it


@dataclass(frozen=True)
class Persons:
    """`users` are pseudonyms; `raw_ids` are (platform, raw id); `person_ids` of identity.csv."""

    users: frozenset[str]
    raw_ids: frozenset[tuple[str, str]]
    person_ids: frozenset[str]

    def with_raw_ids(self, found: set[tuple[str, str]]) -> "Persons":
        return Persons(self.users, self.raw_ids | found, self.person_ids)

    @property
    def tokens(self) -> tuple[str, ...]:
        """Words that name these persons and nothing else, to search files for."""
        ids = [*(raw for _, raw in self.raw_ids), *self.person_ids]
        whole = [f"{platform}:{raw}" for platform, raw in self.raw_ids if len(raw) > 2]
        return tuple(sorted({*self.users, *whole, *filter(_telling, ids)}))


def find_persons(settings: Settings, named: list[str]) -> Persons:
    """The persons that `named` (user ids, or `<platform>:<raw id>`) stands for.

    One id of a person leads to all, through identity.csv. Raises UsageError for anything else.
    """
    key = load_user_key(settings.home)
    wrong = [text for text in named if not re.match(USER, text) and ":" not in text]
    if wrong:
        raise UsageError(f"user: expected a user_id or <platform>:<raw id>, found {wrong[0]!r}")
    users = {text if re.match(USER, text) else pseudonym(key, text) for text in named}
    raw_ids = {_pair(text) for text in named if not re.match(USER, text)}
    identities = read_identities(settings)
    person_ids = {
        person
        for platform, raw, person in identities
        if {pseudonym(key, f"{platform}:{raw}"), pseudonym(key, f"person:{person}")} & users
    }
    raw_ids |= {(platform, raw) for platform, raw, person in identities if person in person_ids}
    users |= {pseudonym(key, f"{platform}:{raw}") for platform, raw in raw_ids}
    users |= {pseudonym(key, f"person:{person}") for person in person_ids}
    return Persons(frozenset(users), frozenset(raw_ids), frozenset(person_ids))


def read_identities(settings: Settings) -> list[tuple[str, str, str]]:
    """(platform, raw_id, person_id) of every row of identity.csv."""
    path = identity_file(settings)
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8-sig") as file:
        return [(row["platform"], row["raw_id"], row["person_id"]) for row in csv.DictReader(file)]


def identity_file(settings: Settings) -> Path:
    return settings.landing / IDENTITY


def _pair(text: str) -> tuple[str, str]:
    platform, _, raw = text.partition(":")
    return platform, raw


def _telling(raw: str) -> bool:
    """Whether this id is unlikely to be confused with anything else."""
    digits = any(letter.isdigit() for letter in raw)
    return len(raw) >= (DIGITS if raw.isdigit() else SHORTEST) and digits
