"""Deliver the days of an import into landing/, once, and name the days that a load would wait for.

An import has a folder of its own below the home, named by what is imported. Whole day files wait there until all are
written; then they move to landing/ one by one. Where an import is killed, the same command goes on: days that were
moved are known by their content, so no record is doubled or lost.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path

from pipeline.runtime.atomic import flush, replace_text
from pipeline.runtime.days import walk
from pipeline.runtime.errors import LandingError
from pipeline.runtime.settings import Settings
from pipeline.sources.landed_file import LandedFile, sha256_of
from pipeline.sources.landing import days_of, source_days
from pipeline.sources.source import WEEKDAYS, Delivery, Source

LAYOUT = 1  # of the folder of an import: one of another layout is begun anew
# What changes no day of an import: it is often corrected after one.
WHEN_IT_COMES = ("closed_weekdays", "closed_dates", "complete", "files", "quiet_minutes")
SHOWN = 3  # examples of rows outside
LONGEST_LIST = 120  # days that are written out
LINE = 120


@dataclass(frozen=True)
class DayFile:
    """A day of the import: `path` is relative to landing/."""

    ds: str
    path: str
    rows: int
    sha256: str


@dataclass
class Outside:
    """Rows whose day is not theirs, by reason: how many, the first of them, and the day on which they land."""

    rows: int = 0
    examples: list[str] = field(default_factory=list)
    ds: str = ""


@dataclass(frozen=True)
class Split:
    """What an import has made of its files."""

    files: list[DayFile]
    outside: dict[str, Outside]

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)


@dataclass(frozen=True)
class ImportFolder:
    """Where an import works: `files/` holds whole days under their names in landing/."""

    path: Path

    @classmethod
    def of(cls, settings: Settings, source: Source, files: Sequence[LandedFile]) -> "ImportFolder":
        """Named by all that its days are made of: the files' content, how they are read, the layout."""
        read = {key: value for key, value in vars(source.delivery).items() if key not in WHEN_IT_COMES}
        how = [source.timezone, source.event["event_time"], sorted(read.items())]
        made_of = [LAYOUT, repr(how), [file.sha256 for file in files]]
        key = hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:16]
        return cls(settings.home / "imports" / f"{source.platform}-{key}")

    @property
    def files(self) -> Path:
        return self.path / "files"

    @property
    def receipt(self) -> Path:
        """Written once every day file is whole, and kept after they have moved."""
        return self.path.with_suffix(".json")

    def split(self) -> Split | None:
        """What was made of the files, if that was brought to its end."""
        try:
            found = json.loads(self.receipt.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        outside = {reason: Outside(**it) for reason, it in found["outside"].items()}
        return Split([DayFile(**it) for it in found["files"]], outside)

    def keep(self, split: Split) -> None:
        replace_text(self.receipt, json.dumps(asdict(split), indent=1), durable=True)

    def clear(self) -> None:
        """Removes what is not needed once all has moved; the receipt stays."""
        shutil.rmtree(self.path, ignore_errors=True)


def targets(settings: Settings, delivery: Delivery, days: Iterable[str]) -> dict[str, str]:
    """The file of each day, relative to landing/: `*` in the path becomes the word `import`, `?` a zero.

    Raises LandingError when files of these names would not be read.
    """
    found = {}
    for ds in days:
        name = re.sub(r"\*+", "import", delivery.path.replace("{ds}", ds)).replace("?", "0")
        if [day for day, _ in days_of(delivery, [Path(name)])] != [ds] or not Path(name).match(
            delivery.path.replace("{ds}", ds).replace("**", "*")
        ):
            raise LandingError(
                f"{name}: expected a name that the source reads again, but `path` {delivery.path!r} does not match it; "
                "use only `*` and `?` in it"
            )
        found[ds] = name
    return found


def refuse_taken(settings: Settings, names: Iterable[str]) -> None:
    """Raises LandingError when a file is there already."""
    taken = sorted(name for name in names if (settings.landing / name).exists())
    if taken:
        raise LandingError(
            f"{taken[0]}: expected no file yet, found one (and {len(taken) - 1} more); remove what was imported before"
        )


def is_delivered(settings: Settings, split: Split) -> bool:
    """Whether every day of the import lies in landing/ as it was made."""
    return all(_is_same(settings.landing / file.path, file) for file in split.files)


def deliver(settings: Settings, folder: ImportFolder, split: Split) -> None:
    """Moves the days into landing/; those that have moved before are known by their content.

    Raises LandingError, with nothing moved, when another file has taken the place of one.
    """
    moved = [file for file in split.files if _is_same(settings.landing / file.path, file)]
    ahead = [file for file in split.files if file not in moved]
    refuse_taken(settings, [file.path for file in ahead])
    for file in ahead:
        _move(folder.files / file.path, settings.landing / file.path)
    folder.clear()


def _is_same(path: Path, file: DayFile) -> bool:
    return path.is_file() and sha256_of(path) == file.sha256


def _move(waiting: Path, target: Path) -> None:
    """At once, also from another file system: a file that is half there would be read as a day."""
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}.unfinished")
    shutil.move(waiting, aside)
    aside.replace(target)
    flush(target.parent)


def told_outside(split: Split) -> list[str]:
    """Lines on the rows that are of no day of the import."""
    return [
        f"outside: {it.rows:,} rows {reason} land on {it.ds}, where loading quarantines or accepts them as late: "
        f"{', '.join(it.examples)}{', …' if it.rows > len(it.examples) else ''}"
        for reason, it in split.outside.items()
    ]


def told_missing(settings: Settings, source: Source) -> list[str]:
    """Lines on the days without a file, within what the source delivers, that a load would stop at."""
    landed = source_days(settings, source)
    delivery = source.delivery
    if not landed or not source.required:
        return []
    first, last = delivery.first_day or landed[0], delivery.last_day or landed[-1]
    absent = [ds for ds in walk(first, last) if ds not in set(landed) and not delivery.closed(ds)]
    if not absent:
        return []
    weekdays, rest = _by_weekday(absent, first, last)
    lines = [
        f"no records on {len(absent)} days of {first}..{last}: {_ranges(absent)}",
        f"a load stops at them; where nothing was delivered, write into [delivery] of {source.file}:",
    ]
    if weekdays:
        lines.append(f"    closed_weekdays = {json.dumps([*delivery.closed_weekdays, *weekdays])}")
    if len(rest) > LONGEST_LIST:
        lines.append(f"    first_day, last_day: the {len(rest)} days are many; are there times that are wrong?")
    elif rest:
        lines += _toml_list("closed_dates", sorted({*delivery.closed_dates, *rest}))
    return lines


def _by_weekday(absent: Sequence[str], first: str, last: str) -> tuple[list[str], list[str]]:
    """The weekdays that are absent whenever they occur, three times at least, and the absent days of others."""
    all_days, gone = list(walk(first, last)), set(absent)
    never = [
        name
        for number, name in enumerate(WEEKDAYS)
        for days in [[ds for ds in all_days if date.fromisoformat(ds).weekday() == number]]
        if len(days) >= 3 and gone.issuperset(days)
    ]
    return never, [ds for ds in absent if WEEKDAYS[date.fromisoformat(ds).weekday()] not in never]


def _ranges(days: Sequence[str]) -> str:
    """Days in words, those in a row as a range; cut where there are many."""
    runs: list[list[str]] = []
    for ds in days:
        if runs and (date.fromisoformat(ds) - date.fromisoformat(runs[-1][-1])).days == 1:
            runs[-1] = [runs[-1][0], ds]
        else:
            runs.append([ds])
    words = ["..".join(run) for run in runs]
    return ", ".join(words[:20]) + (f" and {len(words) - 20} more" if len(words) > 20 else "")


def _toml_list(key: str, days: Sequence[str]) -> list[str]:
    """The line, or lines, of a key whose value is a list of dates."""
    line = f"    {key} = [{', '.join(days)}]"
    if len(line) <= LINE:
        return [line]
    return [f"    {key} = [", *(f"        {', '.join(days[at : at + 8])}," for at in range(0, len(days), 8)), "    ]"]
