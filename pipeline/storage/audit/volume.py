"""How many rows a platform lands, compared with its own past: a day far outside is held, a day outside is reported.

Expected are the rows of the same weekday in the weeks before, in the accounting of published days: their median, and
the median absolute deviation of their logarithms, because half and double are equally odd. A weekday with too short a
past is compared with all days, by a wider margin. A platform that is new or small is not judged. Days without rows
(closed, or of a platform that is not required) say nothing about a day with rows.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median

import duckdb

from pipeline.runtime.days import shift
from pipeline.runtime.errors import AuditError
from pipeline.runtime.settings import Settings
from pipeline.storage import reading
from pipeline.storage.audit.acceptances import accepted
from pipeline.storage.audit.facts import rows_by_platform
from pipeline.storage.audit.staged_rows import data_files, parquet_sql
from pipeline.storage.staging import Manifest
from pipeline.storage.suppression import ERASED

PAST_DAYS = 84  # twelve of each weekday
MIN_DAYS = 14  # days with rows before a platform is judged
MIN_SAME_WEEKDAY = 4  # else all days are compared with
MIN_ROWS = 50  # of a usual day: below that chance alone is odd
MIN_REFUSED = 10  # rows of a platform that are all refused hold the day
LEAST_SPREAD = 0.1  # of logarithms: a tenth more or less is never odd
OUTSIDE, FAR = (3, 1.5), (6, 4.0)  # spreads, and at least this factor more or less
WIDER = 2.0  # times the factor, where all weekdays are compared with

Past = dict[str, list[tuple[str, int]]]  # platform -> (ds, rows landed), oldest first


@dataclass(frozen=True)
class Usual:
    """What a platform usually lands: `center` rows, and the spread of their logarithms."""

    center: float
    spread: float
    days: int
    weekday: str  # empty: all days are compared with

    def range(self, limits: tuple[float, float]) -> tuple[int, int]:
        """The fewest and the most rows within the limits."""
        spreads, factor = limits
        widest = max(spreads * self.spread, math.log(factor * (1 if self.weekday else WIDER)))
        return round(self.center / math.exp(widest)), round(self.center * math.exp(widest))

    def judge(self, rows: int) -> str:
        """`fine`, `outside` or `far`."""
        for verdict, limits in (("far", FAR), ("outside", OUTSIDE)):
            low, high = self.range(limits)
            if not low <= rows <= high:
                return verdict
        return "fine"

    def __str__(self) -> str:
        low, high = self.range(OUTSIDE)
        kind = f"{self.weekday}s" if self.weekday else "days"
        return f"{low:,} to {high:,} (from {self.days} {kind} before, median {self.center:,.0f})"


@dataclass(frozen=True)
class Unusual:
    """What is wrong with the rows of a platform on a day; `mild`: worth a warning only."""

    ds: str
    platform: str
    text: str
    mild: bool

    def __str__(self) -> str:
        return f"raw_events ds={self.ds} platform={self.platform}: {self.text}"


def usual(past: Sequence[tuple[str, int]], ds: str) -> Usual | None:
    """What is usual on `ds`, from (day, rows) before it; None when the past is too short or too small to tell."""
    first = shift(ds, -PAST_DAYS)
    days = [(day, rows) for day, rows in past if first <= day < ds and rows]
    if len(days) < MIN_DAYS:
        return None
    weekday = date.fromisoformat(ds).weekday()
    same = [rows for day, rows in days if date.fromisoformat(day).weekday() == weekday]
    enough = len(same) >= MIN_SAME_WEEKDAY
    compared = same if enough else [rows for _, rows in days]
    center = median(compared)
    if center < MIN_ROWS:
        return None
    spread = 1.4826 * median(abs(math.log(rows / center)) for rows in compared)  # of a normal distribution: its sigma
    name = date.fromisoformat(ds).strftime("%A") if enough else ""
    return Usual(center, max(spread, LEAST_SPREAD), len(compared), name)


def check_volume(settings: Settings, run: str, manifests: list[Manifest]) -> None:
    """Holds a staged day of `raw_events` whose rows are far outside of what its platforms usually land, or all refused.

    Raises AuditError naming each platform and day. It passes when somebody has accepted it (`python -m pipeline
    accept`), or when exactly these rows are published already. A range is compared with what was published before it.
    """
    days = sorted({ds for manifest in manifests for ds in manifest.days})
    _check_not_all_refused(settings, manifests, days)
    stated = {key: 0 for manifest in manifests for key in _stated(manifest)}
    found = stated | rows_by_platform(manifests, days)
    spared = {str(name) for manifest in manifests for name in _listed(manifest, "not_required")}
    past = landed_before(settings, days)
    unusual = []
    for (ds, platform), rows in sorted(found.items()):
        own = past.get(platform, [])
        if (ds, rows) in own:
            continue
        expected = usual([(day, count) for day, count in own if day not in days], ds)
        verdict = expected.judge(rows) if expected else "fine"
        if expected is None or verdict == "fine":
            continue
        mild = verdict == "outside" or (rows < expected.center and platform in spared)
        unusual.append(Unusual(ds, platform, f"expected {expected} rows, found {rows:,}", mild))
    _hold(settings, unusual, "See whether the delivery is whole: deliver it again")


def _hold(settings: Settings, found: list[Unusual], advice: str) -> None:
    """Warns of what is mild, and of what somebody has accepted. Raises AuditError for the rest."""
    held = []
    for it in found:
        taken = None if it.mild else accepted(settings, it.platform, it.ds)
        if it.mild or taken:
            print(f"warning: {it}{f'; accepted by {taken.by}: {taken.reason}' if taken else ''}")
        else:
            held.append(it)
    if held:
        raise AuditError(
            f"{'; '.join(map(str, held))}; the day is held, nothing is published. {advice}, or let it pass with "
            f"`python -m pipeline accept {held[0].platform} --ds {held[0].ds} --reason …`, then release it again"
        )


def _check_not_all_refused(settings: Settings, manifests: list[Manifest], days: Sequence[str]) -> None:
    """Holds a day of a platform of which not one row became an event: its source does not fit its files.

    A handful of rows may all be wrong, and a platform that is not required holds nothing up: that is a warning. Rows of
    erased persons do not count.
    """
    spared = {str(name) for manifest in manifests for name in _listed(manifest, "not_required")}
    unusual = [
        Unusual(
            ds,
            platform,
            f"expected events, found {rows:,} rows that are all refused, most as {reason}",
            mild=ds not in days or platform in spared or rows < MIN_REFUSED,
        )
        for ds, platform, rows, reason in _all_refused(manifests)
    ]
    _hold(settings, unusual, "See why with `python -m pipeline source check` and correct the source")


def _all_refused(manifests: list[Manifest]) -> list[tuple[str, str, int, str]]:
    """Day, platform, rows, and their commonest reason, where no row of a platform is an event."""
    files = data_files(manifests)
    if not files:
        return []
    query = (
        f"SELECT ds, platform, count(*), mode(reject_reason) FROM {parquet_sql(files)} "
        f"WHERE reject_reason IS DISTINCT FROM '{ERASED}' GROUP BY ds, platform "
        "HAVING count(*) = count(reject_reason) ORDER BY ds, platform"
    )
    with duckdb.connect() as connection:
        return connection.execute(query).fetchall()


def landed_before(settings: Settings, days: Sequence[str]) -> Past:
    """The rows that platforms landed on published days up to the last of `days`, as far back as one is compared."""
    _, files = reading.pinned_files("accounting", shift(days[0], -PAST_DAYS), days[-1], settings)
    if not files:
        return {}
    names = [file.removeprefix("file://") for file in files]
    query = f"SELECT platform, ds, rows_landed FROM {parquet_sql(names)} ORDER BY platform, ds"
    past: Past = {}
    with duckdb.connect() as connection:
        for platform, ds, rows in connection.execute(query).fetchall():
            past.setdefault(platform, []).append((ds, rows))
    return past


def _stated(manifest: Manifest) -> list[tuple[str, str]]:
    """The days and platforms of which files landed, also without a row in them."""
    stated = manifest.facts.get("platforms", {})
    assert isinstance(stated, dict)
    return [(ds, platform) for ds, platforms in stated.items() for platform in platforms]


def _listed(manifest: Manifest, fact: str) -> list[object]:
    listed = manifest.facts.get(fact, [])
    assert isinstance(listed, list)
    return listed
