"""Who is to be erased: every pseudonym and every platform's id of the persons named."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from pipeline.erasure.names import is_address
from pipeline.runtime.days import shift
from pipeline.runtime.errors import UsageError
from pipeline.runtime.settings import Settings
from pipeline.sources.identity import evolve, read_identities, stated_accounts
from pipeline.sources.landing import landed_days
from pipeline.sources.user_key import load_user_key, pseudonym
from pipeline.storage.persons import joined_as_of, newest_versions
from pipeline.storage.reading import published
from pipeline.tables.registry import IDENTITIES, USER

LAST = "9999-12-31"


@dataclass(frozen=True)
class Persons:
    """`users` are pseudonyms, of persons and of accounts; `raw_ids` are (platform, raw id); `person_ids` of the map."""

    users: frozenset[str]
    raw_ids: frozenset[tuple[str, str]]
    person_ids: frozenset[str]

    def with_raw_ids(self, settings: Settings, found: set[tuple[str, str]]) -> "Persons":
        """The persons with more ids of theirs, and the accounts that these are."""
        key = load_user_key(settings.home)
        accounts = {pseudonym(key, f"{platform}:{raw}") for platform, raw in found - self.raw_ids}
        return Persons(self.users | accounts, self.raw_ids | found, self.person_ids)

    def with_former(self, keys: Iterable[bytes]) -> "Persons":
        """The persons with the pseudonyms that earlier keys of the home gave them."""
        former = {pseudonym(key, identity) for key in keys for identity in self.identities}
        return Persons(self.users | former, self.raw_ids, self.person_ids)

    @property
    def identities(self) -> frozenset[str]:
        """`<platform>:<raw id>`, and `person:<person id>`: what pseudonyms are made of."""
        accounts = {f"{platform}:{raw}" for platform, raw in self.raw_ids}
        return frozenset(accounts | {f"person:{it}" for it in self.person_ids})

    @property
    def addresses(self) -> frozenset[str]:
        """The `<platform>:<raw id>` that are e-mail addresses, in lower case: another case is the same person."""
        return frozenset(f"{platform}:{raw.lower()}" for platform, raw in self.raw_ids if is_address(raw))


def find_persons(settings: Settings, named: list[str]) -> Persons:
    """The persons that `named` (user or account ids, or `<platform>:<raw id>`) stands for.

    One id of a person leads to all accounts that are theirs now, and to no account that has left them. Raises
    UsageError for anything else, LandingError for an identity map that is wrong.
    """
    key = load_user_key(settings.home)
    wrong = [text for text in named if not re.match(USER, text) and ":" not in text]
    if wrong:
        raise UsageError(f"user: expected a user_id or <platform>:<raw id>, found {wrong[0]!r}")
    users = {text if re.match(USER, text) else pseudonym(key, text) for text in named}
    raw_ids = {_pair(text) for text in named if not re.match(USER, text)}
    rows = read_identities(settings)
    joined = _joined_now(settings, rows)
    theirs = pl.col("account_id").is_in(users) | pl.col("user_id").is_in(users)
    persons = set(joined.filter(theirs)["user_id"])
    users |= persons | set(joined.filter(pl.col("user_id").is_in(persons))["account_id"])
    if rows is None:
        return Persons(frozenset(users), frozenset(raw_ids), frozenset())
    stated = rows.with_columns(stated_accounts(settings, rows).drop("since"))
    own = stated.filter(pl.col("account_id").is_in(users)).select("platform", "raw_id")
    ids = stated.filter(pl.col("user_id").is_in(users))["person_id"]
    return Persons(frozenset(users), frozenset(raw_ids) | set(own.iter_rows()), frozenset(ids))


def _joined_now(settings: Settings, rows: pl.DataFrame | None) -> pl.DataFrame:
    """`account_id` and `user_id` as the next load will join them, from what is published and the map's `rows`."""
    days = [*published(IDENTITIES.name, settings), *landed_days(settings)]
    ds = shift(max(days), 1) if days else LAST
    known = newest_versions(settings)
    return joined_as_of(known if rows is None else evolve(known, stated_accounts(settings, rows), ds, ds), ds)


def _pair(text: str) -> tuple[str, str]:
    platform, _, raw = text.partition(":")
    return platform, raw
