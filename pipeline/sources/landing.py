"""What has landed and what should have: active sources, their files, days and missing files."""

import re
import time
from collections.abc import Container, Iterable, Iterator, Sequence
from datetime import date
from functools import cache
from importlib.resources import files as package_files
from pathlib import Path

from pipeline.runtime.errors import LandingError, SourceError
from pipeline.runtime.plain import plain
from pipeline.runtime.settings import Settings
from pipeline.sources.completeness import LATE_SECONDS, File, Landed, Sighting, day_end, lacks, seen
from pipeline.sources.source import Delivery, Drop, Source, check_lateness, load_source

SHIPPED = Path(str(package_files("pipeline"))) / "sources"
IDENTITY = "identity.csv"


def find_source(settings: Settings, platform: str) -> Source:
    """The source of that name: the user's own file, else the shipped one."""
    for folder in (settings.sources, SHIPPED):
        file = folder / f"{platform}.toml"
        if file.exists():
            return _named(file)
    raise SourceError(
        f"{platform}: no source of that name; expected {settings.sources / platform}.toml "
        f"or one of those shipped: {', '.join(sorted(f.stem for f in SHIPPED.glob('*.toml')))}"
    )


def known_platforms(settings: Settings) -> set[str]:
    """The platforms that have a source: the user's own files and the shipped ones."""
    return {file.stem for folder in (settings.sources, SHIPPED) for file in folder.glob("*.toml")}


def active_sources(settings: Settings) -> list[Source]:
    """Sources with a folder landing/<platform>/ or a TOML of the user's own, by name.

    A folder that no source reads is left out: `unread_folders` names it. Raises SourceError for a source whose late
    records could count twice under the settings.
    """
    own = {file.stem for file in settings.sources.glob("*.toml")}
    shipped = {file.stem for file in SHIPPED.glob("*.toml")} & _landing_folders(settings)
    sources = [find_source(settings, platform) for platform in sorted(own | shipped)]
    for source in sources:
        check_lateness(source, settings.dedup_days)
    return sources


def unread_folders(settings: Settings) -> list[str]:
    """The folders of landing/ that no source reads, by name. They are reported, and stop nothing."""
    sources = active_sources(settings)
    read = [_day_pattern(Path(drop.path).parts[0]) for it in sources for drop in (it.delivery, it.items) if drop]
    others = _landing_folders(settings) - {source.platform for source in sources}
    return sorted(name for name in others if not any(pattern.fullmatch(name) for pattern in read))


def warnings(settings: Settings) -> list[str]:
    """What is odd about landing/ and stops nothing."""
    return [
        f"landing/{name}: no source reads this folder; write {settings.sources / name}.toml, or rename it to _{name}"
        for name in unread_folders(settings)
    ]


def files(settings: Settings, source: Source, ds: str) -> list[Path]:
    """The landed event files of one day, by name."""
    return drop_files(settings, source.delivery, ds)


def drop_files(settings: Settings, drop: Drop, ds: str) -> list[Path]:
    """The landed files of one day of a drop (events or items), by name; without what tools write next to data.

    Raises LandingError for what stands where a file should: a folder, a pipe, a link that leads nowhere, or a name that
    is no UTF-8, which neither Spark nor the tables can hold.
    """
    notice = _notice(drop, ds)
    matching = sorted(settings.landing.glob(drop_glob(drop, ds)))
    found = ((path, path.relative_to(settings.landing)) for path in matching)
    meant = [path for path, name in found if name.as_posix() != notice and not _is_aside(name, drop.path)]
    for path in meant:
        _require_file(path, settings.landing)
    return meant


def _require_file(path: Path, landing: Path) -> None:
    name = plain(f"landing/{path.relative_to(landing)}")
    if path.is_dir():
        raise LandingError(f"{name}: expected a file, found a folder; put its files next to it, or name them in `path`")
    if path.is_symlink() and not path.exists():
        raise LandingError(f"{name}: expected a file, found a link that leads nowhere; deliver the file, or remove it")
    if path.exists() and not path.is_file():
        raise LandingError(f"{name}: expected a file, found a pipe, a socket or a device; remove it")
    if any("\ud800" <= letter <= "\udfff" for letter in str(path.relative_to(landing))):
        raise LandingError(f"{name}: expected a name in UTF-8, found other bytes; rename the file")


def source_days(settings: Settings, source: Source) -> list[str]:
    """The days with at least one event file of the source, in order."""
    return drop_days(settings, source.delivery)


def drop_days(settings: Settings, drop: Drop) -> list[str]:
    """The days with at least one file of the drop, in order."""
    found = (path.relative_to(settings.landing) for path in settings.landing.glob(drop_glob(drop)))
    return sorted({ds for ds, _ in days_of(drop, found)})


def drop_glob(drop: Drop, ds: str = "*") -> str:
    """A pattern, relative to landing/, that the drop's files of a day match, or of every day.

    Only `*` and `?` stand for anything, within a name: a bracket is one, as in `_day_pattern`.
    """
    return re.sub(r"\*+", "*", drop.path.replace("[", "[[]").replace("{ds}", ds))


def days_of(drop: Drop, paths: Iterable[Path]) -> Iterator[tuple[str, Path]]:
    """The day of each path (relative to landing/); paths of other drops are left out."""
    pattern = _day_pattern(drop.path)
    for path in paths:
        match = pattern.fullmatch(path.as_posix())
        if not match or not _is_day(match[1]) or _is_aside(path, drop.path):
            continue
        if _notice(drop, match[1]) != path.as_posix():
            yield match[1], path


def drop_of(settings: Settings, name: str) -> Drop | None:
    """The drop that a landed file belongs to, by its name below landing/; None when no source reads it."""
    drops = (drop for source in active_sources(settings) for drop in (source.delivery, source.items) if drop)
    return next((drop for drop in drops if any(True for _ in days_of(drop, [Path(name)]))), None)


def landed_days(settings: Settings) -> list[str]:
    """The days with at least one event file of any active source, in order."""
    return sorted({ds for s in active_sources(settings) for ds in source_days(settings, s)})


def delivers(settings: Settings, source: Source, ds: str) -> bool:
    """Whether `ds` is in the time in which the source delivers, closed days included."""
    return _delivers(source, ds, source_days(settings, source))


def expected(settings: Settings, source: Source, ds: str) -> bool:
    """Whether a file should land on `ds`."""
    return delivers(settings, source, ds) and not source.delivery.closed(ds)


def accounted(settings: Settings, source: Source, ds: str) -> bool:
    """Whether `accounting` has a row of the day also when nothing landed.

    Of a source that is not required only a closed day has one: a day that is missing has none, so the rows of a day
    name the platforms that it saw.
    """
    return delivers(settings, source, ds) and (source.required or source.delivery.closed(ds))


def missing(settings: Settings, ds: str, delivered: Container[str] = ()) -> list[str]:
    """One message per required source that should have a file of `ds` and has none; none with `allow_empty`.

    `delivered`: platforms whose files were read before and have been purged since.
    """
    if settings.allow_empty:
        return []
    return [
        f"{source.platform}: no file matches landing/{source.delivery.path.replace('{ds}', ds)}"
        for source in active_sources(settings)
        if source.required
        and source.platform not in delivered
        and expected(settings, source, ds)
        and not files(settings, source, ds)
    ]


def incomplete(
    settings: Settings, days: Sequence[str], now: float | None = None, purged: Container[tuple[str, str]] = ()
) -> dict[str, list[str]]:
    """What each of the days still lacks, in words, by day; days that are complete are left out.

    Looks at the files and remembers what it saw (`sightings`). `purged`: (ds, platform) of which files were read before
    that are not there any more; they lack nothing.
    """
    moment = time.time() if now is None else now
    found: dict[str, list[str]] = {}
    for source in active_sources(settings):
        landed_on = source_days(settings, source)
        for ds in days:
            if (ds, source.platform) in purged:
                continue
            due = not settings.allow_empty and _delivers(source, ds, landed_on) and not source.delivery.closed(ds)
            landed = _landed(settings, source, ds, moment)
            found.setdefault(ds, []).extend(lacks(source, ds, landed, due, moment))
    return {ds: found[ds] for ds in days if found.get(ds)}


def _delivers(source: Source, ds: str, landed_on: Sequence[str]) -> bool:
    first = source.delivery.first_day or (landed_on[0] if landed_on else None)
    return first is not None and first <= ds and source.delivery.within(ds)


def _landed(settings: Settings, source: Source, ds: str, now: float) -> Landed:
    """What is there of a day, as it is seen now."""
    found: list[File] = []
    for path in files(settings, source, ds):
        try:
            stat = path.stat()
        except FileNotFoundError:  # it went between two looks
            continue
        found.append(File(path.relative_to(settings.landing).as_posix(), stat.st_size, stat.st_mtime_ns))
    notice = _notice(source.delivery, ds)
    try:
        text = None if notice is None else (settings.landing / notice).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        text = None
    return Landed(_looked_at(settings, source, ds, found, now), text)


def _looked_at(settings: Settings, source: Source, ds: str, found: Sequence[File], now: float) -> Sequence[Sighting]:
    if now >= day_end(source, ds) + source.delivery.quiet * 60 + LATE_SECONDS:
        return [seen(file, None, now) for file in found]  # nothing more is waited for: no need to remember
    from pipeline.sources.sightings import look  # SQLAlchemy

    return look(settings, found, now)


def _notice(drop: Drop, ds: str) -> str | None:
    """The marker or listing of a day, relative to landing/: no data, also where the path of the data matches it."""
    return drop.notice(ds) if isinstance(drop, Delivery) else None


def _is_aside(path: Path, pattern: str) -> bool:
    """Whether a wildcard of the pattern took a name that begins with `.` or `_`: `_SUCCESS`, `.part-0.crc`.

    Tools write such files and folders next to their data. A pattern that begins so itself means them.
    """
    names, patterns = reversed(path.parts), reversed(Path(pattern).parts)
    return any(name[0] in "._" and part[0] in "*?" for name, part in zip(names, patterns, strict=False))


def _landing_folders(settings: Settings) -> set[str]:
    return {folder.name for folder in settings.landing.glob("*") if folder.is_dir() and folder.name[0] not in "._"}


def _named(file: Path) -> Source:
    source = load_source(file)
    if source.platform != file.stem:
        raise SourceError(f"{file}: platform: expected the file's name {file.stem!r}, found {source.platform!r}")
    return source


@cache
def _day_pattern(path: str) -> re.Pattern[str]:
    """`path` as a pattern with the day as its group."""
    parts = re.split(r"(\{ds\}|\*|\?)", path)
    known = {"{ds}": r"(\d{4}-\d{2}-\d{2})", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(known.get(part, re.escape(part)) for part in parts))


def _is_day(text: str) -> bool:
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False
