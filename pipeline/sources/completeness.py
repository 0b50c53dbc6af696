"""When a day of a source is complete: pure functions of what is seen of its files, and of the time.

A source says it in `[delivery]` of its file: a marker or a listing with sizes that lands last (`complete`), a number of
files (`files`), or a time without changes after the end of its local day (`quiet_minutes`; the default).

Quiet is counted from the newest change as this home saw it, so that neither a clock at the platform nor a copied or
future modification time can make a day look complete. Only a file that was unchanged for long enough when it was first
seen is believed. A day that ended more than a day ago has had its time: what lands now is late, makes the day stale and
is repaired, so loading old days waits for nothing.
"""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import PurePosixPath
from zoneinfo import ZoneInfo

from pipeline.runtime.errors import LandingError
from pipeline.sources.source import Source

SETTLED_SECONDS = 60  # a file that may still be growing is looked at again
LATE_SECONDS = 24 * 3600  # after that, what lands is late
SKEW_SECONDS = 60  # by which the clocks of two of our hosts may differ
NAMED = 3  # files named in one message


@dataclass(frozen=True)
class File:
    """A landed file as it is now. `path` is relative to landing/, `modified` in ns since 1970."""

    path: str
    size: int
    modified: int


@dataclass(frozen=True)
class Sighting:
    """A landed file as this home has seen it; times in seconds since 1970, by the clock of this home.

    `size_before` is set by the look that saw a change, `clock_was` by one that found the clock gone back.
    """

    path: str
    size: int
    modified: int
    first_seen: float
    changed_at: float
    size_before: int | None = None
    clock_was: float | None = None

    def quiet_since(self, seconds: float) -> float:
        """Since when the file is unchanged; its own time is believed only where that lay long enough ago."""
        modified = self.modified / 1e9
        return modified if modified <= self.changed_at - seconds else self.changed_at


@dataclass(frozen=True)
class Landed:
    """What is there of one day of one source. `notice` is the text of its marker or listing, if that has landed."""

    files: Sequence[Sighting]
    notice: str | None = None


def seen(file: File, before: Sighting | None, now: float) -> Sighting:
    """The sighting of a file after one more look."""
    if before is None:
        return Sighting(file.path, file.size, file.modified, now, now)
    before = replace(before, size_before=None, clock_was=None)
    if (file.size, file.modified) != (before.size, before.modified):
        return replace(before, size=file.size, modified=file.modified, changed_at=now, size_before=before.size)
    if now < before.changed_at - SKEW_SECONDS:
        return replace(before, first_seen=now, changed_at=now, clock_was=before.changed_at)
    return before


def day_end(source: Source, ds: str) -> float:
    """When the day is over at the platform."""
    after = date.fromisoformat(ds) + timedelta(days=1)
    return datetime(after.year, after.month, after.day, tzinfo=ZoneInfo(source.timezone)).timestamp()


def lacks(source: Source, ds: str, landed: Landed, due: bool, now: float) -> list[str]:
    """What the day still lacks, in words; empty: it is complete. `due`: a file must land on the day."""
    over = day_end(source, ds) + source.delivery.quiet * 60
    if not source.required and now >= over:
        return []  # the night goes on without it
    texts = [*_absent(source, ds, landed, due)]
    if not texts and now < over + LATE_SECONDS:
        texts = [*_unquiet(source, ds, landed.files, now)]
    found = [f"{source.platform}: {text}" for text in texts]
    if found and not source.required:
        found[0] += f" (not required: waited for until {_clock(over)})"
    return found


def listed_sizes(text: str, name: str) -> dict[str, int]:
    """The files that a listing names, with their bytes. JSON lines, or CSV with the header `name,size`.

    Raises LandingError naming the line that is neither.
    """
    lines = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if lines and not lines[0][1].lstrip().startswith("{"):
        header, *lines = lines
        if [field.strip() for field in header[1].split(",")] != ["name", "size"]:
            raise _bad_line(name, *header, "the header name,size")
    sizes: dict[str, int] = {}
    for number, line in lines:
        path, size = _entry(name, number, line)
        if sizes.setdefault(path, size) != size:
            raise _bad_line(name, number, line, f"one size of {path}, {sizes[path]} stands above")
    return sizes


def _absent(source: Source, ds: str, landed: Landed, due: bool) -> Iterator[str]:
    """What has not landed, by what the source and its listing promise."""
    delivery, notice = source.delivery, source.delivery.notice(ds)
    pattern = f"landing/{delivery.path.replace('{ds}', ds)}"
    if not landed.files:
        if due and landed.notice is not None:
            yield f"landing/{notice} says that the day is complete, and no file matches {pattern}; deliver the files"
        elif due:
            yield f"no file matches {pattern}"
        return
    if notice is not None and landed.notice is None:
        yield f"{_count(landed.files)} landed without landing/{notice}, which says that the day is complete"
    elif notice is not None and delivery.lists_sizes:
        yield from _unlike_listing(notice, landed)
    if delivery.files is not None and len(landed.files) < delivery.files:
        yield f"expected {delivery.files} files that match {pattern}, found {len(landed.files)}"


def _unlike_listing(notice: str, landed: Landed) -> Iterator[str]:
    """Each way in which the files differ from the listing."""
    assert landed.notice is not None
    try:
        sizes = listed_sizes(landed.notice, f"landing/{notice}")
    except LandingError as error:
        yield str(error)
        return
    folder = PurePosixPath(notice).parent
    listed = {str(folder / name): size for name, size in sizes.items()}
    found = {file.path: file.size for file in landed.files}
    absent = [f"{path} ({size} bytes)" for path, size in listed.items() if path not in found]
    other = [
        f"{path} with {size} bytes, found {found[path]}"
        for path, size in listed.items()
        if found.get(path, size) != size
    ]
    stray = sorted(found.keys() - listed.keys())
    if absent:
        yield f"landing/{notice} lists {_some(absent)}, which has not landed"
    if other:
        yield f"landing/{notice} lists {_some(other)}; deliver it again"
    if stray:
        yield f"landing/{notice} does not list {_some(stray)}; list or remove it"


def _unquiet(source: Source, ds: str, files: Sequence[Sighting], now: float) -> Iterator[str]:
    """The file that changed last, while it may change again."""
    delivery, end = source.delivery, 0.0
    quiet, promised = float(SETTLED_SECONDS), delivery.complete is not None or delivery.files is not None
    if not promised:
        quiet, end = delivery.quiet * 60, day_end(source, ds)
    if delivery.complete is not None:  # it vouches for what landed before it, not for what changes afterwards
        files = [file for file in files if file.changed_at > file.first_seen]
    if not files:
        return
    newest = max(files, key=lambda file: file.quiet_since(quiet))
    since = newest.quiet_since(quiet)
    ready = max(since, end) + quiet
    if now >= ready:
        return
    until = f"the day is complete when nothing has changed for {quiet / 60:g} min, at {_clock(ready)}"
    jumped = next((file.clock_was for file in files if file.clock_was is not None), None)
    if jumped is not None:
        yield f"the clock of this machine went back from {_clock(jumped)} to {_clock(now)}; {until}"
    elif since < end:
        yield f"{ds} ends at {_clock(end)} in {source.timezone}; {until}"
    elif newest.size_before is None:
        yield f"{newest.path} last changed at {_clock(since)}; {until}"
    elif newest.size_before == newest.size:
        yield f"{newest.path} was written again since the last look; {until}"
    else:
        yield f"{newest.path} went from {newest.size_before} to {newest.size} bytes since the last look; {until}"


def _entry(name: str, number: int, line: str) -> tuple[str, int]:
    found: Mapping[str, object]
    try:
        if line.lstrip().startswith("{"):
            found = json.loads(line)
        else:
            fields = next(csv.reader([line]))
            found = {"name": fields[0].strip(), "size": int(fields[1])} if len(fields) == 2 else {}
        path, size = found["name"], found["size"]
    except (ValueError, KeyError):
        raise _bad_line(name, number, line, "a name and a size") from None
    if not isinstance(path, str) or not path or not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise _bad_line(name, number, line, "a name and a size in bytes")
    return path, size


def _bad_line(name: str, number: int, line: str, words: str) -> LandingError:
    return LandingError(f"{name}: line {number}: expected {words}, found {line.strip()[:80]!r}; deliver it again")


def _count(files: Sequence[Sighting]) -> str:
    return f"{len(files)} file{'s' if len(files) > 1 else ''}"


def _some(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - NAMED} more" if len(texts) > NAMED else ""
    return ", ".join(texts[:NAMED]) + more


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
