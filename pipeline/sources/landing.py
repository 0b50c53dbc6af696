"""What has landed and what should have: active sources, their files, days and missing files."""

import re
from collections.abc import Container, Iterable, Iterator
from datetime import date
from functools import cache
from importlib.resources import files as package_files
from pathlib import Path

from pipeline.runtime.errors import SourceError
from pipeline.runtime.settings import Settings
from pipeline.sources.source import Drop, Source, check_lateness, load_source

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

    Raises SourceError for a landing folder that no source reads, since its rows must not be overlooked, and for a
    source whose late records could count twice under the settings.
    """
    own = {file.stem for file in settings.sources.glob("*.toml")}
    landed = {folder.name for folder in settings.landing.glob("*") if folder.is_dir() and folder.name[0] not in "._"}
    sources = [find_source(settings, platform) for platform in sorted(own | landed)]
    for source in sources:
        check_lateness(source, settings.dedup_days)
    return sources


def files(settings: Settings, source: Source, ds: str) -> list[Path]:
    """The landed event files of one day, by name."""
    return drop_files(settings, source.delivery, ds)


def drop_files(settings: Settings, drop: Drop, ds: str) -> list[Path]:
    """The landed files of one day of a drop (events or items), by name."""
    return sorted(settings.landing.glob(drop.path.replace("{ds}", ds)))


def source_days(settings: Settings, source: Source) -> list[str]:
    """The days with at least one event file of the source, in order."""
    return drop_days(settings, source.delivery)


def drop_days(settings: Settings, drop: Drop) -> list[str]:
    """The days with at least one file of the drop, in order."""
    found = (path.relative_to(settings.landing) for path in settings.landing.glob(drop_glob(drop)))
    return sorted({ds for ds, _ in days_of(drop, found)})


def drop_glob(drop: Drop) -> str:
    """A pattern, relative to landing/, that the drop's files of every day match."""
    return drop.path.replace("{ds}", "*").replace("**", "*")


def days_of(drop: Drop, paths: Iterable[Path]) -> Iterator[tuple[str, Path]]:
    """The day of each path (relative to landing/); paths of other drops are left out."""
    pattern = _day_pattern(drop.path)
    for path in paths:
        match = pattern.fullmatch(path.as_posix())
        if match and _is_day(match[1]):
            yield match[1], path


def landed_days(settings: Settings) -> list[str]:
    """The days with at least one event file of any active source, in order."""
    return sorted({ds for s in active_sources(settings) for ds in source_days(settings, s)})


def delivers(settings: Settings, source: Source, ds: str) -> bool:
    """Whether `ds` is in the time in which the source delivers, closed days included."""
    landed = source_days(settings, source)
    first = source.delivery.first_day or (landed[0] if landed else None)
    return first is not None and first <= ds and source.delivery.within(ds)


def expected(settings: Settings, source: Source, ds: str) -> bool:
    """Whether a file must land on `ds`."""
    return delivers(settings, source, ds) and not source.delivery.closed(ds)


def missing(settings: Settings, ds: str, delivered: Container[str] = ()) -> list[str]:
    """One message per expected source without a file of `ds`; none with `allow_empty`.

    `delivered`: platforms whose files were read before and have been purged since.
    """
    if settings.allow_empty:
        return []
    return [
        f"{source.platform}: no file matches landing/{source.delivery.path.replace('{ds}', ds)}"
        for source in active_sources(settings)
        if source.platform not in delivered and expected(settings, source, ds) and not files(settings, source, ds)
    ]


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
