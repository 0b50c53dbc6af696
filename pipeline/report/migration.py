"""Topic migration: who moved from which main topic to which, without telling small groups apart."""

from collections import Counter
from dataclasses import dataclass
from math import ceil

from pipeline.report.partitions import Partitions
from pipeline.report.words import OTHER, told_share
from pipeline.runtime.days import shift
from pipeline.runtime.floor import veiled

WEEKS = 8  # drawn together
WEEKS_SHOWN = 12  # in the curve of how many move
TOPICS_DRAWN = 11
MOVES = """
SELECT from_topic, to_topic, sum(users)::BIGINT FROM {m} WHERE week IN ({weeks})
GROUP BY 1, 2 ORDER BY 1, 2
"""
# Each move of a user once, so that no list of users is needed to count them.
USERS = """
SELECT moved.origin, moved.target, count(*) FROM (
    SELECT unnest(list_distinct(list_filter(list_transform(
        range(1, len(weeks)),
        lambda n: CASE WHEN weeks[n + 1] IN ({weeks})
            THEN {{'origin': weekly_topics[n], 'target': weekly_topics[n + 1]}} END
    ), lambda it: it IS NOT NULL))) AS moved FROM {u} WHERE len(weeks) > 1
) GROUP BY 1, 2
"""


@dataclass(frozen=True)
class Week:
    """Users with a main topic in this week and in one before, and how many of them changed it."""

    monday: str
    users: int
    moved: int

    @property
    def share(self) -> float | None:
        """None also where it would tell of a few."""
        return told_share(self.moved, self.users)


@dataclass(frozen=True)
class Flow:
    """Users who went from one topic to another; over several weeks, moves."""

    origin: str
    target: str
    users: int


@dataclass(frozen=True)
class Migration:
    """The map of the newest whole weeks.

    `topics` are in order of their moves; `stayed` and `flows` are between them. A move that fewer
    people made than the floor is in `hidden` alone.
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
    moves = partitions.rows(MOVES.replace("{weeks}", listed), m=("migrations", ds))
    users = partitions.rows(USERS.replace("{weeks}", listed), u=("user_interests", ds))
    flows = [Flow(names.get(a, a), names.get(b, b), count) for a, b, count in moves]
    people = {(names.get(a, a), names.get(b, b)): count for a, b, count in users}
    return fold(flows, people, weeks[-WEEKS_SHOWN:], drawn)


def fold(flows: list[Flow], people: dict[tuple[str, str], int], weeks: list[Week], drawn: list[str]) -> Migration:
    """The largest topics by themselves, the rest as one, and nothing that few people did.

    `people`: how many made each move at least once; a group of moves counts as its largest one.
    """
    topics = _largest(flows)
    moves: Counter[tuple[str, str]] = Counter()
    reach: Counter[tuple[str, str]] = Counter()
    for flow in flows:
        pair = _on_the_map(flow, topics)
        if pair != (OTHER, OTHER):  # among themselves the others are no move on this map
            moves[pair] += flow.users
            made = people.get((flow.origin, flow.target), _fewest(flow, len(drawn)))
            reach[pair] = max(reach[pair], made, 1)
    shown = [*topics, OTHER] if any(OTHER in pair for pair in moves) else topics
    seen = _seen(moves, reach)
    large = [Flow(a, b, users) for (a, b), users in seen.items() if a != b]
    left_out = [users for pair, users in moves.items() if pair not in seen and pair[0] != pair[1]]
    return Migration(
        weeks=weeks,
        drawn=drawn,
        topics=shown,
        stayed={it: seen[it, it] for it in shown if (it, it) in seen},
        totals={it: sum(n for (a, _), n in moves.items() if a == it) for it in shown},
        flows=sorted(large, key=lambda flow: (-flow.users, flow.origin, flow.target)),
        hidden=sum(left_out),
    )


def _seen(moves: dict[tuple[str, str], int], reach: dict[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    """The moves that enough people made, but for those beside which a rare one could be told.

    The rates of a topic's row add up, so a single hidden move of it would be what is left.
    """
    rows: dict[str, dict[str, int]] = {}
    for origin, target in moves:
        rows.setdefault(origin, {})[target] = reach[origin, target]
    secret = {(origin, target) for origin in rows for target in veiled(rows[origin])}
    return {pair: users for pair, users in moves.items() if pair not in secret}


def _on_the_map(flow: Flow, topics: list[str]) -> tuple[str, str]:
    origin, target = (it if it in topics else OTHER for it in (flow.origin, flow.target))
    return origin, target


def _fewest(flow: Flow, weeks: int) -> int:
    """The fewest people who can have made so many moves.

    In n weeks one of them stays at most n times and makes a given move at most every other week.
    """
    most = weeks if flow.origin == flow.target else ceil(weeks / 2)
    return flow.users // max(most, 1)


def _largest(flows: list[Flow]) -> list[str]:
    """The topics of most moves, counted where they came from and where they went."""
    sizes: Counter[str] = Counter()
    for flow in flows:
        moves = flow.users if flow.origin != flow.target else 0
        sizes[flow.origin] += moves
        sizes[flow.target] += moves
    return [topic for topic, _ in sorted(sizes.items(), key=lambda it: (-it[1], it[0]))][:TOPICS_DRAWN]


def _weeks(partitions: Partitions, ds: str) -> list[Week]:
    query = (
        "SELECT week, sum(users)::BIGINT, "
        "coalesce(sum(users) FILTER (WHERE from_topic <> to_topic), 0)::BIGINT "
        "FROM {m} GROUP BY week ORDER BY week"
    )
    return [Week(*row) for row in partitions.rows(query, m=("migrations", ds))]
