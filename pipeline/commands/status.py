"""The state of a home: landing, published days, online store, last refresh."""

from collections.abc import Iterator
from datetime import timedelta
from statistics import median

from pipeline.features.online import open_backend
from pipeline.features.point_in_time import served_after, zones
from pipeline.intraday.refreshes import describe, newest
from pipeline.orchestration.steps import CLEAN, INGEST, SESSIONIZE
from pipeline.runtime.errors import OnlineError
from pipeline.runtime.settings import Settings
from pipeline.sources.landing import active_sources, landed_days, warnings
from pipeline.storage.arrivals import lacking
from pipeline.storage.catalogue_age import explained, newer_files
from pipeline.storage.lineage import Lineage
from pipeline.tables.registry import TABLES, USER_FEATURES

STALE_SHOWN = 5
NIGHTS = 28
EVERY_DAY = {*INGEST.writes, *CLEAN.writes, *SESSIONIZE.writes}


def print_status(settings: Settings) -> None:
    landed = landed_days(settings)
    print(f"home      {settings.home}")
    print(f"sources   {', '.join(source.platform for source in active_sources(settings)) or 'none'}")
    print(f"landed    {_span(landed)}")
    lineage = Lineage(settings)
    for name in TABLES:
        days, gone = list(lineage.days(name)), lineage.pins.gone(name)
        # States and features of a range are those of its last days alone.
        due = landed if name in EVERY_DAY else [day for day in landed if day > max(days, default="")]
        behind = len([ds for ds in set(due) - set(days) if ds not in gone])
        note = f", {behind} landed days not published" if days and behind else ""
        note += f", older ones removed up to {gone.last}" if gone else ""
        print(f"{name:18} {_span(days)}{note}")
    print(f"{'online':18} {_online(settings)}")
    if late := served_after(lineage.pins.table(USER_FEATURES.name), zones(settings)):
        print(f"{'served after':18} {_served(list(late.values())[-NIGHTS:], settings)}")
    if refresh := newest(settings):
        print(f"{'last refresh':18} {describe(refresh)}")
    if newer := newer_files(settings):
        print(explained(newer))
    if landed:
        for message in lacking(settings, landed[-1:]).get(landed[-1], []):
            print(f"missing   {landed[-1]}: {message}")
    for message in warnings(settings):
        print(f"unread    {message}")
    for line in _stale(lineage):
        print(line)


def _stale(lineage: Lineage) -> Iterator[str]:
    """What is not made from what is there now, in a few lines."""
    own = [it for it in lineage.stale if not it.follows]
    more = f", {len(own)} of them for a reason of their own; see `stale`, mend with `repair`" if own else ""
    yield f"{'stale':18} {len(lineage.stale) or 'no'} partitions{more}"
    for it in own[:STALE_SHOWN]:
        yield f"  {it}"
    vanished = [path for changes in lineage.landing_changes().values() for path in changes.vanished]
    if vanished:
        yield f"{'vanished':18} {len(vanished)} landed files, whose rows stay: {', '.join(vanished[:STALE_SHOWN])}"


def _online(settings: Settings) -> str:
    """The nights of the online store; being out of reach is a state too."""
    try:
        nights = open_backend(settings).nights()
    except OnlineError as error:
        return str(error)
    if nights.current is None:
        return "none"
    refreshed = f", refreshed {nights.current.refreshed}" if nights.current.refreshed else ""
    before = f", {nights.previous.ds} kept for a rollback" if nights.previous else ""
    return f"ds={nights.current.ds} serves, {nights.current.rows:,} users{refreshed}{before}"


def _served(late: list[timedelta], settings: Settings) -> str:
    """How long after their days' end nights were published, and what `as_of` takes for it."""
    hours = [it / timedelta(hours=1) for it in late]
    usual, longest = median(hours), max(hours)
    stated = settings.serving_delay_hours
    advice = "; raise TIDEMARK_SERVING_DELAY_HOURS" if longest > stated else ""
    nights = f"{len(late)} night" + "s" * (len(late) > 1)
    return f"median {usual:.1f} h, longest {longest:.1f} h of {nights}; as_of takes {stated:g} h{advice}"


def _span(days: list[str]) -> str:
    return f"{len(days)} days, {days[0]}..{days[-1]}" if days else "none"
