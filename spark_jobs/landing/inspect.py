"""The landed files of a job's days, each inspected before it is read."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from pipeline.runtime.errors import LandingError
from pipeline.runtime.settings import Settings
from pipeline.sources.landed_file import LandedFile, inspect
from pipeline.sources.landing import drop_days, drop_files, missing
from pipeline.sources.source import Drop, Source

Landed = list[tuple[Source, list[LandedFile]]]


def inspect_days(settings: Settings, sources: list[Source], days: list[str], known: Sequence[dict] = ()) -> Landed:
    """The files of every source. Raises LandingError when one is missing or damaged.

    `known`: files that were read before: their source did deliver, also where landing was purged since.
    """
    if not sources:
        raise LandingError(
            f"{settings.landing}: expected a folder per platform, found none; let files land, or "
            "make some with `python -m pipeline sample`"
        )
    delivered = {(row["ds"], row["platform"]) for row in known}
    absent = [message for ds in days for message in missing(settings, ds, {p for day, p in delivered if day == ds})]
    if absent:
        more = f" (and {len(absent) - 1} more)" if len(absent) > 1 else ""
        raise LandingError(
            f"{absent[0]}{more}; wait for the delivery, or set TIDEMARK_ALLOW_EMPTY=true when nothing comes"
        )
    return inspect_so_far(settings, sources, days)


def inspect_so_far(settings: Settings, sources: list[Source], days: list[str]) -> Landed:
    """The files that are there, maybe none. Raises LandingError when one is damaged."""
    return [(source, inspect_drop(settings, source.delivery, days)) for source in sources]


def records_by_day(landed: Landed, days: list[str]) -> dict[str, int]:
    """Landed records per day, as counted when the files were inspected."""
    counts = Counter(dict.fromkeys(days, 0))
    for _, source_files in landed:
        for file in source_files:
            counts[file.ds] += file.records
    return dict(counts)


def volume_facts(landed: Landed, allow_empty: bool) -> dict[str, object]:
    """What the audit needs to judge how many rows landed: per day the platforms of which files landed.

    A platform without a record is left out where a day may be empty, so nobody asks where its rows are.
    """
    counts: Counter[tuple[str, str]] = Counter()
    for source, source_files in landed:
        for file in source_files:
            counts[file.ds, source.platform] += file.records
    platforms: dict[str, list[str]] = {}
    for (ds, platform), records in sorted(counts.items()):
        if records or not allow_empty:
            platforms.setdefault(ds, []).append(platform)
    return {"platforms": platforms, "not_required": [source.platform for source, _ in landed if not source.required]}


def check_unchanged(landed: Landed) -> None:
    """Raises LandingError naming the first file that changed since it was inspected."""
    for _, source_files in landed:
        for file in source_files:
            file.check_unchanged()


def inspect_catalogues(settings: Settings, sources: list[Source], first: str, last: str) -> Landed:
    """The catalogue files of [first, last]. Raises LandingError when one is damaged."""
    no_news = settings.model_copy(update={"allow_empty": True})  # a day on which no item changed
    landed: Landed = []
    for source in sources:
        if source.items:
            days = [ds for ds in drop_days(settings, source.items) if first <= ds <= last]
            landed.append((source, inspect_drop(no_news, source.items, days)))
    return landed


def inspect_drop(settings: Settings, drop: Drop, days: list[str]) -> list[LandedFile]:
    """The files of one drop on `days`. Raises LandingError when one is damaged."""
    found = [(path, ds) for ds in days for path in drop_files(settings, drop, ds)]
    with ThreadPoolExecutor(max_workers=4) as threads:
        return list(
            threads.map(
                lambda file: inspect(
                    file[0],
                    file[0].relative_to(settings.landing).as_posix(),
                    file[1],
                    drop,
                    settings.allow_empty,
                ),
                found,
            )
        )
