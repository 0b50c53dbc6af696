"""Topic migration: who moved from which main topic to which, without telling small groups apart."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

from pipeline.days import shift
from pipeline.report.partitions import Partitions
from pipeline.report.words import FLOOR, share

WEEKS = 4  # drawn together
WEEKS_SHOWN = 12  # in the curve of how many move
TOPICS_DRAWN = 9
OTHER = "other topics"


@dataclass(frozen=True)
class Week:
    """Users with a main topic in this week and in one before, and how many of them changed it."""

    monday: str
    users: int
    moved: int

    @property
    def share(self) -> float | None:
        return share(self.moved, self.users)


@dataclass(frozen=True)
class Flow:
    """Users who went from one topic to another."""

    origin: str
    target: str
    users: int


@dataclass(frozen=True)
class Migration:
    """The map of the newest whole weeks.

    `topics` are in order of size; `stayed` and `flows` are between them. Whoever moved in a group
    smaller than the floor is in `hidden` alone.
    """

    weeks: list[Week]  # all that are known, oldest first
    drawn: list[str]  # Mondays of the weeks drawn
    topics: list[str]
    stayed: dict[str, int]
    totals: dict[str, int]  # by origin, also those who are not drawn
    flows: list[Flow]
    hidden: int

    @property
    def moved(self) -> int:
        return sum(flow.users for flow in self.flows) + self.hidden


def migration(partitions: Partitions, ds: str, names: dict[str, str]) -> Migration:
    """The migrations that `ds` knows of, over its newest whole weeks."""
    weeks = _weeks(partitions, ds)
    whole = [week.monday for week in weeks if shift(week.monday, 6) <= ds]
    drawn = whole[-WEEKS:] or [week.monday for week in weeks[-1:]]
    listed = ", ".join(f"'{monday}'" for monday in drawn) or "NULL"
    query = (
        "SELECT from_topic, to_topic, sum(users)::BIGINT FROM {m} "
        f"WHERE week IN ({listed}) GROUP BY 1, 2 ORDER BY 1, 2"
    )
    found = partitions.rows(query, m=("migrations", ds))
    named = [Flow(names.get(a, a), names.get(b, b), users) for a, b, users in found]
    return fold(named, weeks[-WEEKS_SHOWN:], drawn)


def fold(flows: Iterable[Flow], weeks: list[Week], drawn: list[str]) -> Migration:
    """The largest topics by themselves, the rest as one, and no group smaller than the floor.

    Over n weeks one user makes a given move at most every other week and stays at most n times, so
    that n/2 x floor moves, or n x floor stays, are at least the floor of users.
    """
    flows = list(flows)
    topics = _largest(flows)
    cells: Counter[tuple[str, str]] = Counter()
    for flow in flows:
        pair = tuple(it if it in topics else OTHER for it in (flow.origin, flow.target))
        if pair != (OTHER, OTHER):  # among themselves the others are no move on this map
            cells[pair[0], pair[1]] += flow.users
    shown = [*topics, OTHER] if any(OTHER in pair for pair in cells) else topics
    least_moves, least_stays = FLOOR * ceil(len(drawn) / 2), FLOOR * len(drawn)
    moves = {pair: users for pair, users in cells.items() if pair[0] != pair[1]}
    large = [Flow(a, b, users) for (a, b), users in moves.items() if users >= least_moves]
    totals = {it: sum(n for (a, _), n in cells.items() if a == it) for it in shown}
    return Migration(
        weeks=weeks,
        drawn=drawn,
        topics=shown,
        stayed={it: cells[it, it] for it in shown if cells[it, it] >= least_stays},
        totals=totals,
        flows=sorted(large, key=lambda flow: (-flow.users, flow.origin, flow.target)),
        hidden=sum(users for users in moves.values() if users < least_moves),
    )


def _largest(flows: list[Flow]) -> list[str]:
    """The topics of most users, counted where they came from and where they went."""
    sizes: Counter[str] = Counter()
    for flow in flows:
        sizes[flow.origin] += flow.users
        sizes[flow.target] += flow.users
    return [topic for topic, _ in sorted(sizes.items(), key=lambda it: (-it[1], it[0]))][
        :TOPICS_DRAWN
    ]


def _weeks(partitions: Partitions, ds: str) -> list[Week]:
    query = (
        "SELECT week, sum(users)::BIGINT, "
        "coalesce(sum(users) FILTER (WHERE from_topic <> to_topic), 0)::BIGINT "
        "FROM {m} GROUP BY week ORDER BY week"
    )
    return [Week(*row) for row in partitions.rows(query, m=("migrations", ds))]
