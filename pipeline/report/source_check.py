"""What landed files become, for the person who writes a source file: facts, in the terminal and as a page."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.report import words
from pipeline.report.rendering import template
from pipeline.runtime.atomic import replace_text
from pipeline.runtime.plain import plain, terminal

CUT = 80  # characters of a value that are shown
NOTABLE_POINTS = 0.02  # a change of a filled share that is worth a line
NOTABLE_CHANGE = 0.1  # of a number, relative


@dataclass(frozen=True)
class ColumnFacts:
    """A column of the file or of `raw_events`: the share of rows that have it, about how many values, a few of them."""

    name: str
    filled: float
    distinct: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Rejected:
    """Rows with one reason; `examples` are (file, line, what was understood of the record)."""

    reason: str
    rows: int
    examples: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Sessions:
    """Sessions of the events, and of how many users."""

    users: int
    sessions: int
    events: int
    longest: int  # events of the longest

    @property
    def a_user(self) -> float:
        return self.sessions / max(self.users, 1)

    @property
    def events_each(self) -> float:
        return self.events / max(self.sessions, 1)


@dataclass(frozen=True)
class SourceCheck:
    """What a day, or files given by name, would become.

    `records` were read and became `rows` rows: events, duplicates, bots' rows and rejected ones. `share` of the bytes
    were read. `times` are (time, event type, events), by hour or by day.
    """

    platform: str
    title: str
    files: tuple[str, ...]
    records: int
    rows: int
    events: int
    duplicates: int
    bots: int
    share: float
    own: tuple[ColumnFacts, ...]
    canonical: tuple[ColumnFacts, ...]
    rejected: tuple[Rejected, ...]
    times: tuple[tuple[str, str, int], ...]
    sessions: Sessions
    warnings: tuple[str, ...] = field(default=())

    @property
    def quarantined(self) -> int:
        return self.bots + sum(it.rows for it in self.rejected)

    @property
    def sampled(self) -> str:
        """Says so where not all was read; empty otherwise."""
        return "" if self.share >= 1 else f"a sample: the first {self.share:.1%} of the bytes of each file were read"

    @property
    def types(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for _, kind, count in self.times:
            found[kind] = found.get(kind, 0) + count
        return dict(sorted(found.items(), key=lambda it: -it[1]))

    @property
    def headline(self) -> str:
        """The first line of what is printed."""
        return f"{self.title}: {self.rows} rows in {len(self.files)} files"

    @property
    def becomes(self) -> str:
        return (
            f"{self.rows} rows = {self.events} events + {self.duplicates} duplicates + {self.quarantined} quarantined "
            f"({self.bots} of bots)"
        )

    def by_time(self) -> tuple[list[str], list[tuple[str, list[int]]]]:
        """Event types, and for each time the events of each of them."""
        kinds = list(self.types)
        counts: dict[str, dict[str, int]] = {}
        for time, kind, count in self.times:
            counts.setdefault(time, {})[kind] = count
        return kinds, [(time, [counts[time].get(kind, 0) for kind in kinds]) for time in sorted(counts)]


@dataclass(frozen=True)
class Grid:
    """A table to show: its title, heads, and rows of texts."""

    title: str
    heads: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def cut(value: object) -> str:
    """A value as it is shown: escaped, and cut."""
    text = "" if value is None else str(value)
    plain = "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)
    return plain if len(plain) <= CUT else f"{plain[: CUT - 1]}…"


def grids(check: SourceCheck, before: SourceCheck | None = None) -> Iterator[Grid]:
    """Everything that is shown, in order."""
    if before is not None:
        yield Grid(f"what changed since {before.title}", ("what", "then", "now", ""), changes(check, before))
    columns = ("column", "filled", "distinct", "examples")
    yield Grid("columns of the file", columns, [_column(it) for it in check.own])
    yield Grid("columns of mapped rows", columns, [_column(it) for it in check.canonical])
    types = [(kind, str(count), f"{count / max(check.events, 1):.1%}") for kind, count in check.types.items()]
    yield Grid("events by type", ("event_type", "events", "share"), types)
    kinds, times = check.by_time()
    yield Grid("events over time", ("time", *kinds), [(time, *map(str, counts)) for time, counts in times])
    rejected = [
        (it.reason if place == 0 else "", str(it.rows) if place == 0 else "", f"{file}:{line}", cut(record))
        for it in check.rejected
        for place, (file, line, record) in enumerate(it.examples or (("", "", ""),))
    ]
    yield Grid("rejected rows by reason", ("reason", "rows", "file and line", "what was understood"), rejected)
    one = check.sessions
    yield Grid(
        "sessions",
        ("users", "sessions", "sessions a user", "events a session", "longest"),
        [(str(one.users), str(one.sessions), f"{one.a_user:.2f}", f"{one.events_each:.2f}", str(one.longest))],
    )
    becomes = [
        ("events", str(check.events)),
        ("duplicates", str(check.duplicates)),
        ("quarantined", str(check.quarantined)),
        ("of these, of bots", str(check.bots)),
        ("rows landed", str(check.rows)),
    ]
    yield Grid("what the day would become", ("", "rows"), becomes)


def changes(now: SourceCheck, then: SourceCheck) -> list[tuple[str, ...]]:
    """What is notably different: numbers of rows, types and reasons, filled shares, columns that came or went."""
    found: list[tuple[str, ...]] = []
    for name in ("records", "rows", "events", "duplicates", "quarantined"):
        found += _number(name, getattr(then, name), getattr(now, name))
    found += _number("users", then.sessions.users, now.sessions.users)
    for kind in dict.fromkeys([*then.types, *now.types]):
        found += _number(f"events of type {kind}", then.types.get(kind, 0), now.types.get(kind, 0))
    reasons = [{it.reason: it.rows for it in check.rejected} for check in (then, now)]
    for reason in dict.fromkeys([*reasons[0], *reasons[1]]):
        found += _number(f"rejected as {reason}", reasons[0].get(reason, 0), reasons[1].get(reason, 0))
    for title, old, new in (("file", then.own, now.own), ("mapped rows", then.canonical, now.canonical)):
        found += _columns(title, old, new)
    return found


def _number(what: str, then: int, now: int) -> list[tuple[str, ...]]:
    if then == now or (then and abs(now / then - 1) < NOTABLE_CHANGE):
        return []
    return [(what, str(then), str(now), words.Change(now, then).relative)]


def _columns(title: str, old: Sequence[ColumnFacts], new: Sequence[ColumnFacts]) -> list[tuple[str, ...]]:
    before, after = ({it.name: it.filled for it in facts} for facts in (old, new))
    found: list[tuple[str, ...]] = []
    for name in dict.fromkeys([*before, *after]):
        if name not in after or name not in before:
            gone = name not in after
            found.append(
                (f"{name} of {title}", "there" if gone else "–", "–" if gone else "there", "gone" if gone else "new")
            )
        elif abs(after[name] - before[name]) >= NOTABLE_POINTS:
            change = f"{100 * (after[name] - before[name]):+.1f} points"
            found.append((f"{name} of {title} filled", f"{before[name]:.1%}", f"{after[name]:.1%}", change))
    return found


def _column(it: ColumnFacts) -> tuple[str, ...]:
    return (it.name, f"{it.filled:.1%}", str(it.distinct), ", ".join(cut(value) for value in it.examples))


def print_check(check: SourceCheck, before: SourceCheck | None = None) -> None:
    """Prints the facts as tables."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Console(file=terminal())
    console = drawn if drawn.is_terminal else Console(width=200)
    print(check.headline)
    for line in (check.sampled, *check.warnings):
        if line:
            print(f"warning: {line}")
    for it in grids(check, before):
        if not it.rows:
            console.print(f"\n{it.title}: none", markup=False, highlight=False)
            continue
        table = Table(*it.heads, title=it.title, title_justify="left", box=None)
        for row in it.rows:
            table.add_row(*[Text(plain(cell)) for cell in row])
        console.print()
        console.print(table)
    print(f"\n{check.becomes}")


def write_page(path: Path, check: SourceCheck, before: SourceCheck | None = None) -> None:
    """Writes the facts as one HTML page that needs nothing but itself."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kinds, times = check.by_time()
    page = template("source_check.html.j2").render(
        check=check, grids=list(grids(check, before)), kinds=kinds, times=times
    )
    replace_text(path, page)
