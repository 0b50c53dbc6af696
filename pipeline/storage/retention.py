"""How long published days stay, and how they go.

A table declares how long its days stay (`Table.keep`); `TIDEMARK_KEEP` says otherwise for single tables:

    TIDEMARK_KEEP="events=730, user_features=60+26, sessions=forever"    # days, then one a week

Maintenance takes the days beyond that from the table in one transaction, and remembers that it did: a day that has gone
is not one that was never loaded. Files and snapshots of it go later, as any that nothing refers to.
"""

import json
import re
import warnings
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from pyiceberg.exceptions import CommitFailedException, ValidationException
from pyiceberg.table import Table as IcebergTable

from pipeline.runtime.days import days_between, shift
from pipeline.runtime.errors import FencedError, NotPublishedError, SettingsError
from pipeline.runtime.settings import Settings
from pipeline.storage.catalog import own_table
from pipeline.storage.publications import GONE, KEPT_FROM, gone_of, publications
from pipeline.storage.publish import CONFLICTS
from pipeline.tables.registry import TABLES
from pipeline.tables.schema import FOREVER, Keep, Table

SETTING = "TIDEMARK_KEEP"
REMOVED = f"maintenance has removed it, as {SETTING} says"
TRAINING_DAYS = 126  # the oldest cut-off of training examples is that many days back
# Of tables that the night, the online store or a refresh reads days of.
LOGS = ("raw_events", "events", "accounting")
LEAST_STATES = 3  # the night that serves online, the one before, and the base of refreshes
LEAST = {"ad_policy": 8, "training_examples": 2, "user_history_intraday": 2, "user_features_intraday": 2}


@dataclass(frozen=True)
class Needs:
    """What else is read of a home. By table: the day from which all days stay, single days, and snapshots that stay."""

    since: Mapping[str, str] = field(default_factory=dict)
    days: Mapping[str, set[str]] = field(default_factory=dict)
    snapshots: Mapping[str, set[int]] = field(default_factory=dict)


def check_whole(iceberg: IcebergTable, table: Table, first: str, last: str) -> None:
    """Raises NotPublishedError when days of [first, last] of a log have gone: without them a figure would be wrong."""
    gone = gone_of(iceberg)
    if table.snapshot or not gone:
        return
    before = min(last, shift(gone.kept_from, -1))
    again = sum(first <= ds <= before for ds in publications(iceberg))  # published since
    if again < days_between(first, before) + 1 or any(first <= ds <= last for ds in gone.days):
        raise NotPublishedError(
            f"{table.name}: expected the days {first}..{last}, found that maintenance has removed some of those before "
            f"{shift(gone.last, 1)} ({SETTING}); what needs them cannot be computed in this home any "
            "more: load the days again in a new one"
        )


def keep_of(settings: Settings, table: Table) -> Keep:
    """How long the days of a table stay. Raises SettingsError for a wrong setting."""
    return overrides(settings).get(table.name, table.kept)


def check(settings: Settings) -> None:
    """Raises SettingsError unless every table keeps the days that something reads."""
    overrides(settings)
    for table in TABLES.values():
        keep, least, why = keep_of(settings, table), *least_days(settings, table)
        if keep.days is not None and keep.days < least:
            raise SettingsError(
                f"{SETTING}: {table.name}: expected at least {least} days ({why}), found {keep}; raise it, or leave "
                "the table out"
            )


def least_days(settings: Settings, table: Table) -> tuple[int, str]:
    """The fewest days that a table must keep, and why."""
    if table.name in LOGS:
        days = settings.active_days + TRAINING_DAYS + settings.dedup_days
        parts = f"{settings.active_days} active, {TRAINING_DAYS} back to the oldest cut-off of training"
        return days, f"{parts}, {settings.dedup_days} in which duplicates are looked for"
    if table.name in LEAST:
        return LEAST[table.name], "that are read again"
    return (LEAST_STATES, "of the nights that serve") if table.snapshot else (1, "the newest")


def overrides(settings: Settings) -> dict[str, Keep]:
    """TIDEMARK_KEEP, parsed. Raises SettingsError naming the entry."""
    found: dict[str, Keep] = {}
    for entry in filter(None, (it.strip() for it in settings.keep.split(","))):
        name, _, value = (it.strip() for it in entry.partition("="))
        match = re.fullmatch(r"(\d+)(?:\+(\d+))?", value)
        if name not in TABLES:
            raise SettingsError(
                f"{SETTING}: expected a table in {entry!r}, found {name!r}; see `python -m pipeline tables`"
            )
        if not match and value != "forever":
            raise SettingsError(
                f"{SETTING}: {name}: expected days, days+weeks or forever, found {value!r}, for example {name}=30+8"
            )
        if name in found:
            raise SettingsError(f"{SETTING}: expected each table once, found {name} twice; leave one out")
        found[name] = Keep(int(match[1]), int(match[2] or 0)) if match else FOREVER
    return found


def going(days: Iterable[str], keep: Keep, since: str = "", single: Collection[str] = ()) -> dict[str, str]:
    """The published days that do not stay, each with the reason. Days from `since` on, and `single` ones, do."""
    days = sorted(days)
    if keep.days is None or not days:
        return {}
    newest = days[::-1]
    stays = set(newest[: keep.days])
    of_week: dict[tuple[int, int], str] = {}
    for ds in newest:
        of_week.setdefault(date.fromisoformat(ds).isocalendar()[:2], ds)
    weekly = [ds for ds in of_week.values() if ds not in stays][: keep.weeks]
    stays |= {*weekly, *single, *(ds for ds in days if since and ds >= since)}
    oldest = min(weekly, default="")
    return {
        ds: f"a later day of its week stays, beyond {keep.days} days"
        if weekly and ds > oldest
        else f"older than {keep.days} days{f' and {keep.weeks} weeks' if keep.weeks else ''}"
        for ds in days
        if ds not in stays
    }


def planned(settings: Settings, table: Table, needs: Needs) -> dict[str, str]:
    """The days of a table that maintenance would take, each with the reason."""
    days, name = publications(own_table(settings, table)), table.name
    return going(days, keep_of(settings, table), needs.since.get(name, ""), needs.days.get(name, ()))


def remove(settings: Settings, table: Table, needs: Needs) -> list[str]:
    """Takes the days that do not stay from the table, in one transaction; returns them.

    Raises FencedError when others publish all the time.
    """
    for _ in range(CONFLICTS):
        iceberg = own_table(settings, table)
        days = list(planned(settings, table, needs))
        if iceberg is None or not days:
            return []
        try:
            _take(iceberg, days)
        except (CommitFailedException, ValidationException):
            continue
        return days
    raise FencedError(f"{table.name}: {CONFLICTS} conflicting publishers in a row; try again later")


def _take(iceberg: IcebergTable, days: list[str]) -> None:
    left = sorted(set(publications(iceberg)) - set(days))
    gone = gone_of(iceberg)
    kept_from = max(gone.kept_from, min(left))
    since = sorted(ds for ds in gone.days.union(days) if ds >= kept_from)
    listed = ", ".join(f"'{ds}'" for ds in days)
    with warnings.catch_warnings(), iceberg.transaction() as transaction:
        warnings.filterwarnings("ignore", "Delete operation did not match")  # days without rows
        transaction.delete(f"ds in ({listed})", snapshot_properties={"tidemark.removed": f"{min(days)}..{max(days)}"})
        transaction.remove_properties(*[f"pub.{ds}" for ds in days])
        transaction.set_properties({KEPT_FROM: kept_from, GONE: json.dumps(since)})
