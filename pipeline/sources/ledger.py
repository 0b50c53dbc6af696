"""What lies in landing/, held against what was read before: files that landed since, changed, or vanished."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.runtime.settings import Settings
from pipeline.sources.landed_file import LandedFile, sha256_of
from pipeline.sources.landing import active_sources, days_of, drop_glob
from pipeline.sources.source import Drop, Source

Entry = dict[str, Any]  # one file as it was read: ds, platform, path, size, modified, sha256, records


@dataclass(frozen=True)
class Seen:
    """A file as it lies there now."""

    ds: str
    platform: str
    size: int
    modified: int  # ns since 1970


@dataclass(frozen=True)
class Changes:
    """Of one day: paths of files that landed since, whose bytes are others now, or that are not there any more."""

    landed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()

    def reasons(self, vanished: bool) -> list[str]:
        """Why a day that was made of the files is stale. Rows of vanished files stay, unless they are asked for."""
        return [
            *(f"{path} landed since" for path in self.landed),
            *(f"{path} changed since it was read" for path in self.changed),
            *(f"{path} has vanished" for path in self.vanished if vanished),
        ]


def entry(source: Source, file: LandedFile) -> Entry:
    """A file as it was read, for the ledger."""
    return {
        "ds": file.ds,
        "platform": source.platform,
        "path": file.name,
        "size": file.size,
        "modified": file.modified,
        "sha256": file.sha256,
        "records": file.records,
    }


def event_files(settings: Settings) -> dict[str, dict[str, Seen]]:
    """Every event file of every active source: day -> path -> what it looks like."""
    return _listed(settings, [(source.platform, source.delivery) for source in active_sources(settings)])


def item_files(settings: Settings) -> dict[str, dict[str, Seen]]:
    """Every catalogue file of every active source, likewise."""
    drops = [(source.platform, source.items) for source in active_sources(settings) if source.items]
    return _listed(settings, drops)


def changes(settings: Settings, read: Iterable[Mapping], found: Mapping[str, Seen]) -> Changes:
    """What happened to the files of a day since they were `read` (entries); `found` are those of now.

    Where only the modification time differs, the bytes decide.
    """
    before = {str(it["path"]): it for it in read}
    changed = [path for path, it in before.items() if path in found and _differs(settings, path, it, found[path])]
    return Changes(
        tuple(sorted(found.keys() - before.keys())),
        tuple(sorted(changed)),
        tuple(sorted(before.keys() - found.keys())),
    )


def _listed(settings: Settings, drops: Iterable[tuple[str, Drop]]) -> dict[str, dict[str, Seen]]:
    days: dict[str, dict[str, Seen]] = {}
    for platform, drop in drops:
        paths = [path.relative_to(settings.landing) for path in settings.landing.glob(drop_glob(drop))]
        for ds, path in days_of(drop, paths):
            state = (settings.landing / path).lstat()  # a link that leads nowhere is refused when it is read
            seen = Seen(ds, platform, state.st_size, state.st_mtime_ns)
            days.setdefault(ds, {})[path.as_posix()] = seen
    return days


def _differs(settings: Settings, path: str, before: Mapping, now: Seen) -> bool:
    if now.size != before["size"]:
        return True
    if now.modified == before["modified"]:
        return False
    return _sha256(settings.landing / path, now.size, now.modified) != before["sha256"]


@cache
def _sha256(path: Path, size: int, modified: int) -> str:
    """Of a file as it lies there: whoever looks each minute hashes one that was only touched once."""
    return sha256_of(path)
