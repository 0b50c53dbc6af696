"""Nights in a row: items with hand-made vectors in, rows of both tables out."""

from tests.unit.training.topics.worlds import WIDTH, around, day_items
from training.topics.lineage import Earlier, earlier
from training.topics.placing import place_items
from training.topics.topic_rows import both_tables

MONDAY, TUESDAY, NEXT_MONDAY = "2024-06-03", "2024-06-04", "2024-06-10"


class Town:
    """Remembers the last night. Items are given as {item id: axis of its vector}."""

    def __init__(self, topics: int = 0) -> None:
        self.topics = topics
        self.last: tuple | None = None
        self.reason = ""

    def night(self, ds: str, axes: dict[str, int], noise: float = 0.1, encoder: str = "made up") -> dict[str, str]:
        """Item to topic of the night, after `rows` was set to its rows of `topics`."""
        ids = sorted(axes)
        vectors = around([axes[item] for item in ids], noise)
        items = day_items([f"thing{axes[item]} {item}" for item in ids], vectors, ids, encoder=encoder)
        past = earlier(*self.last, items) if self.last else Earlier.none(items)
        placed = place_items(items, vectors, past, ds, self.topics)
        topics, found = both_tables(items, vectors, past, placed, ds)
        self.reason = placed.reason
        self.last = ds, topics.to_pylist(), found
        return dict(zip(found["item_id"].to_pylist(), found["topic_id"].to_pylist(), strict=True))

    @property
    def rows(self) -> dict[str, dict]:
        """Rows of `topics` of the last night by id."""
        assert self.last is not None
        return {row["topic_id"]: row for row in self.last[1]}


def kinds(**sizes: int) -> dict[str, int]:
    """`kinds(a=3, b=2)`: items shop:a00, shop:a01, ...; kind a lies on axis 0, b on axis 1, ..."""
    assert len(sizes) <= WIDTH
    return {f"shop:{kind}{n:02d}": "abcdefghijkl".index(kind) for kind, size in sizes.items() for n in range(size)}


def of_kind(found: dict[str, str], kind: str) -> str:
    """The one topic of all items of a kind."""
    topics = {topic for item, topic in found.items() if item.startswith(f"shop:{kind}")}
    assert len(topics) == 1, f"{kind}: {topics}"
    return topics.pop()
