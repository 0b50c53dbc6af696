"""The identity map: which accounts are one person's, as delivered and as known from day to day.

    landing/identity.csv    platform,raw_id,person_id[,since]

`since` is the day (YYYY-MM-DD) from which the account is that person's. An account may have several rows, one per day
on which its person changed. Where `since` is left out, a change counts from the day of the load that first sees it.
"""

import csv
import hashlib
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from pipeline.runtime.days import parse_day
from pipeline.runtime.errors import LandingError, UsageError
from pipeline.runtime.settings import Settings
from pipeline.sources.landing import IDENTITY, known_platforms
from pipeline.sources.user_key import load_user_key, pseudonym

ALWAYS = "0001-01-01"
COLUMNS = ("platform", "raw_id", "person_id")
SINCE = "since"
STATED = {**dict.fromkeys((*COLUMNS, SINCE), pl.String), "row": pl.Int64}
VERSIONS = dict.fromkeys(("account_id", "user_id", "since_ds"), pl.String)


def identity_file(settings: Settings) -> Path:
    return settings.landing / IDENTITY


def read_identities(settings: Settings) -> pl.DataFrame | None:
    """The rows of the map (`platform, raw_id, person_id, since, row`), each once; None when there is no file.

    `since` is null where the file leaves it open. Raises LandingError naming the first row that is wrong. Its ids are
    personal, so the message shows none.
    """
    path = identity_file(settings)
    if not path.exists():
        return None
    platforms = known_platforms(settings)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(_rows(csv.reader(file, strict=True), platforms))
    except (UnicodeDecodeError, csv.Error) as error:
        raise LandingError(f"{path.name}: expected a CSV in UTF-8, found: {error}; correct the file") from None
    stated = pl.DataFrame(rows, STATED, orient="row").unique([*COLUMNS, SINCE], keep="first", maintain_order=True)
    _refuse_two_persons(stated)
    return stated


def stated_map(settings: Settings) -> pl.DataFrame | None:
    """The map as pseudonyms (`stated_accounts`); None when there is no file. Raises LandingError for a wrong row."""
    rows = read_identities(settings)
    return None if rows is None else stated_accounts(settings, rows)


def readable_map(settings: Settings) -> pl.DataFrame | None:
    """The same; None also for a map that is wrong, of which the next load says what is."""
    try:
        return stated_map(settings)
    except LandingError:
        return None


def stated_accounts(settings: Settings, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows of the map as pseudonyms: `account_id`, `user_id` of the person, and `since`."""
    key = load_user_key(settings.home)
    accounts = [pseudonym(key, f"{platform}:{raw}") for platform, raw in rows.select("platform", "raw_id").iter_rows()]
    persons = {person: pseudonym(key, f"person:{person}") for person in rows["person_id"].unique()}
    users = rows["person_id"].replace_strict(persons, return_dtype=pl.String)
    return pl.DataFrame(
        {"account_id": accounts, "user_id": users, "since": rows[SINCE]},
        dict.fromkeys(("account_id", "user_id", SINCE), pl.String),
    )


def dated_digest(stated: pl.DataFrame | None, ds: str) -> str:
    """Fingerprint of what the map (`stated_accounts`; None: there is none) says with a day of its own, up to `ds`."""
    if stated is None:
        stated = pl.DataFrame(schema=dict.fromkeys(("account_id", "user_id", SINCE), pl.String))
    dated = stated.filter(pl.col(SINCE) <= ds).sort("account_id", SINCE).select("account_id", "user_id", SINCE)
    return hashlib.sha256(dated.write_csv().encode()).hexdigest()


def evolve(known: pl.DataFrame, stated: pl.DataFrame, first: str, start: str) -> pl.DataFrame:
    """Every version of every account after a load that begins with the day `first`: VERSIONS, by account and day.

    `known` are the versions of before (also of days after `first`, when days are loaded again), `stated` the rows of
    the file. What the file says about an account replaces what was known of it from that day on. A change without a
    day counts from `start`, an account that has vanished from the file is on its own from `first` on.
    """
    latest = known.sort("since_ds").unique("account_id", keep="last").select("account_id", now="user_id")
    is_dated = pl.col(SINCE).is_not_null().any().over("account_id")
    dated, undated = stated.filter(is_dated), stated.filter(~is_dated)
    changed = undated.join(latest, on="account_id", how="left").filter(pl.col("user_id").ne_missing(pl.col("now")))
    left = latest.join(stated, on="account_id", how="anti").filter(pl.col("now") != pl.col("account_id"))
    news = pl.concat(
        [
            _dated_versions(known, dated),
            changed.select("account_id", "user_id", since_ds=pl.lit(start)),
            left.select("account_id", user_id="account_id", since_ds=pl.lit(first)),
        ]
    )
    begins = news.group_by("account_id").agg(begins=pl.col("since_ds").min())
    kept = known.join(begins, on="account_id", how="left").filter(
        pl.col("begins").is_null() | (pl.col("since_ds") < pl.col("begins"))
    )
    versions = pl.concat([kept.select(*VERSIONS), news.select(*VERSIONS)]).sort("account_id", "since_ds")
    # Alone is what an account is anyway, until a person has it.
    before = pl.col("user_id").shift().over("account_id").fill_null(pl.col("account_id"))
    return versions.filter(pl.col("user_id") != before)


def _dated_versions(known: pl.DataFrame, dated: pl.DataFrame) -> pl.DataFrame:
    """The versions of accounts whose rows have days. A row without one, next to others, is what was so before them."""
    oldest = known.sort("since_ds").unique("account_id", keep="first")
    first_known = oldest.select("account_id", "user_id", first_known="since_ds")
    rows = dated.join(first_known, on=["account_id", "user_id"], how="left")
    began = pl.coalesce(SINCE, "first_known", pl.lit(ALWAYS))
    earliest = pl.col(SINCE).min().over("account_id")
    # The day on which it was first seen counts only where it is before those that the file gives.
    began = pl.when(pl.col(SINCE).is_null() & (began >= earliest)).then(pl.lit(ALWAYS)).otherwise(began)
    return rows.select("account_id", "user_id", since_ds=began)


def _rows(lines: Iterator[list[str]], platforms: set[str]) -> Iterator[tuple[str, str, str, str | None, int]]:
    """The rows after the header, which is row 1. Raises LandingError for the first that is wrong."""
    header = next(lines, [])
    absent = [name for name in COLUMNS if name not in header]
    if absent or len(set(header)) < len(header):
        raise LandingError(
            f"{IDENTITY}: expected a CSV with the columns {', '.join(COLUMNS)} and, optionally, {SINCE}, each once; "
            f"found {', '.join(header) or 'an empty file'}; correct the header"
        )
    places = [header.index(name) for name in COLUMNS]
    day_place = header.index(SINCE) if SINCE in header else None
    for number, fields in enumerate(lines, start=2):
        if not fields:
            continue
        if len(fields) != len(header):
            raise _wrong(number, f"{len(header)} fields ({', '.join(header)})", f"{len(fields)}", "correct the row")
        platform, raw_id, person_id = (fields[place] for place in places)
        for name, value in zip(COLUMNS, (platform, raw_id, person_id), strict=True):
            if not value.strip():
                raise _wrong(number, f"a {name}", "none", "leave the row out")
            if value != value.strip():
                raise _wrong(number, f"a {name} without blanks around it", "some", "remove them")
        if platform not in platforms:
            known = ", ".join(sorted(platforms))
            raise _wrong(number, f"a platform with a source ({known})", repr(platform), "correct the row")
        since = fields[day_place] if day_place is not None else ""
        yield platform, raw_id, person_id, _day(number, since) if since else None, number


def _day(number: int, text: str) -> str:
    try:
        return parse_day(text)
    except UsageError:
        raise _wrong(number, f"{SINCE} as a day YYYY-MM-DD or nothing", repr(text), "correct the row") from None


def _refuse_two_persons(stated: pl.DataFrame) -> None:
    """Raises LandingError where one account has two persons from the same day on."""
    has_days = pl.col(SINCE).is_not_null().any().over("platform", "raw_id")
    begins = pl.when(has_days).then(pl.col(SINCE).fill_null(ALWAYS)).otherwise(pl.lit(""))
    twice = stated.filter(pl.struct("platform", "raw_id", begins.alias("begins")).is_duplicated())
    twice = twice.filter(pl.col("person_id").n_unique().over("platform", "raw_id", begins) > 1).sort("row")
    if twice.is_empty():
        return
    account = twice.row(0, named=True)
    other = twice.filter(
        (pl.col("platform") == account["platform"])
        & (pl.col("raw_id") == account["raw_id"])
        & (pl.col("person_id") != account["person_id"])
    )
    raise _wrong(
        other["row"][0],
        "one person per account and day",
        f"another than in row {account['row']}",
        f"leave one of them out, or say in `{SINCE}` from which day on each holds",
    )


def _wrong(number: int, expected: str, found: str, todo: str) -> LandingError:
    return LandingError(f"{IDENTITY}: row {number}: expected {expected}, found {found}; {todo}")
