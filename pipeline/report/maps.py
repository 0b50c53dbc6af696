"""The two pictures of topic migration: the heat map of rates, and the streams of movers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.report.charts import ribbon
from pipeline.report.words import OTHER

if TYPE_CHECKING:  # Airflow's UI imports this module; migrations bring DuckDB
    from pipeline.report.migration import Flow, Migration

WIDTH, LABELS, CELL = 360, 138, 22  # of the heat map
STREAM_WIDTH, STREAM_HEIGHT, GAP, BAR = 360, 300, 7, 9
STREAMS = 20  # the largest; more of them are a tangle
SIDE = 112  # room for a name on each side
OTHER_TONE = "tone-other"


@dataclass(frozen=True)
class Cell:
    """A rate. `level` 0 to 1 is its shade.

    `kind`: stayed, moved, others (one end is many topics together), or few (below the floor).
    """

    row: int
    column: int
    kind: str
    share: float
    level: float
    users: int


@dataclass(frozen=True)
class HeatMap:
    """Rows: where users came from; columns: where they went, in the same order."""

    topics: list[str]
    cells: list[Cell]
    cell: float
    height: float
    highest: float  # the rate of the strongest shade


@dataclass(frozen=True)
class Node:
    """A topic on one side of the streams."""

    topic: str
    tone: str  # its colour
    users: int
    y: float
    height: float


@dataclass(frozen=True)
class Stream:
    """Users who moved, as a ribbon."""

    flow: "Flow"
    tone: str
    path: str


@dataclass(frozen=True)
class Streams:
    """Movers from the left to the right, a ribbon as high as its users are many."""

    left: list[Node]
    right: list[Node]
    ribbons: list[Stream]
    height: float
    drawn: int


def heat_map(migration: "Migration") -> HeatMap | None:
    """Rates of each topic's users; None when nothing is to be drawn."""
    topics = migration.topics
    if not topics:
        return None
    moves = {(flow.origin, flow.target): flow.users for flow in migration.flows}
    rates = [n / migration.totals[pair[0]] for pair, n in moves.items() if OTHER not in pair]
    highest = max(rates, default=0.0)
    cells = [
        _cell(migration, moves, highest, row, column) for row in range(len(topics)) for column in range(len(topics))
    ]
    size = min(CELL, (WIDTH - LABELS) / len(topics))
    return HeatMap(topics, cells, size, size * (len(topics) + 1), highest)


def _cell(migration: "Migration", moves: dict[tuple[str, str], int], highest: float, row: int, column: int) -> Cell:
    origin, target = migration.topics[row], migration.topics[column]
    users = migration.stayed.get(origin, 0) if row == column else moves.get((origin, target), 0)
    if not users:
        return Cell(row, column, "few", 0.0, 0.0, 0)
    rate = users / migration.totals[origin]
    if row == column:
        return Cell(row, column, "stayed", rate, 1.0, users)
    if OTHER in (origin, target):
        return Cell(row, column, "others", rate, 0.0, users)
    return Cell(row, column, "moved", rate, rate / highest, users)


def streams(migration: "Migration") -> Streams | None:
    """The largest moves that may be drawn; None when there is none.

    Moves to and from many topics together are drawn only where there are no others.
    """
    named = [it for it in migration.flows if OTHER not in (it.origin, it.target)]
    flows = (named or migration.flows)[:STREAMS]
    if not flows:
        return None
    left = _nodes(migration, flows, lambda flow: flow.origin)
    right = _nodes(migration, flows, lambda flow: flow.target)
    return Streams(left, right, _ribbons(migration, flows, left, right), STREAM_HEIGHT, len(flows))


def _nodes(migration: "Migration", flows: list["Flow"], end: Callable[["Flow"], str]) -> list[Node]:
    there = {end(flow) for flow in flows}
    topics = [topic for topic in migration.topics if topic in there]
    total = sum(flow.users for flow in flows)
    room = STREAM_HEIGHT - GAP * (len(topics) - 1)
    y, nodes = 0.0, []
    for topic in topics:
        users = sum(flow.users for flow in flows if end(flow) == topic)
        height = room * users / total
        nodes.append(Node(topic, _tone(migration, topic), users, round(y, 2), round(height, 2)))
        y += height + GAP
    return nodes


def _ribbons(migration: "Migration", flows: list["Flow"], left: list[Node], right: list[Node]) -> list[Stream]:
    """From top to bottom on both sides, so that ribbons of one topic do not cross."""
    order = {topic: n for n, topic in enumerate(migration.topics)}
    used_left = {node.topic: node.y for node in left}
    used_right = {node.topic: node.y for node in right}
    scale_left = {node.topic: node.height / node.users for node in left}
    scale_right = {node.topic: node.height / node.users for node in right}
    found = []
    for flow in sorted(flows, key=lambda it: (order[it.origin], order[it.target])):
        spans = []
        for topic, used, scale in (
            (flow.origin, used_left, scale_left),
            (flow.target, used_right, scale_right),
        ):
            top = used[topic]
            used[topic] = top + scale[topic] * flow.users
            spans.append((top, used[topic]))
        path = ribbon(SIDE + BAR, STREAM_WIDTH - SIDE - BAR, spans[0], spans[1])
        tone = OTHER_TONE if OTHER in (flow.origin, flow.target) else _tone(migration, flow.origin)
        found.append(Stream(flow, tone, path))
    return found


def _tone(migration: "Migration", topic: str) -> str:
    """The colour of a topic on both sides: by its place, which is that of its size."""
    return OTHER_TONE if topic == OTHER else f"tone-{migration.topics.index(topic)}"
