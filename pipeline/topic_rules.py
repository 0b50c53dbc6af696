"""Rules across the columns of a row of the tables of topics; see table_rules.py."""

from pipeline.runtime.settings import Settings
from pipeline.tables.schema import RowRule


def _topics(settings: Settings) -> list[RowRule]:
    squares = "list_sum(list_transform(centroid, lambda x: x::DOUBLE * x))"
    days, heirs = ("topic_id", "born_ds", "ended_ds"), ("topic_id", "ended_how", "merged_into")
    return [
        ("born_ds <= ds", "born_ds <= ds", days),
        (
            "born_ds <= ended_ds <= ds",
            "ended_ds IS NULL OR ended_ds BETWEEN born_ds AND ds",
            days,
        ),
        (
            "ended_how tells of topics with ended_ds",
            "(ended_how IS NULL) = (ended_ds IS NULL)",
            ("topic_id", "ended_ds", "ended_how"),
        ),
        (
            "merged_into tells of merged topics",
            "(merged_into IS NOT NULL) = coalesce(ended_how = 'merged', false)",
            heirs,
        ),
        (
            "a topic has items until it ends",
            "(items > 0) = (ended_ds IS NULL)",
            ("topic_id", "items", "ended_ds"),
        ),
        (
            "a topic neither comes out of itself nor goes into itself",
            "topic_id IS DISTINCT FROM merged_into AND topic_id IS DISTINCT FROM split_from",
            (*heirs, "split_from"),
        ),
        ("centroid has length 1", f"abs({squares} - 1) < 0.001", ("topic_id",)),
    ]


TOPIC_RULES = {"topics": _topics}
