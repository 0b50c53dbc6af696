"""What is read to tell the story of one user on one day."""

from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.expressions import In

from pipeline.runtime.errors import NotPublishedError
from pipeline.runtime.settings import Settings
from pipeline.storage.reading import as_declared, published, scan
from pipeline.tables.interventions import INTERVENTIONS
from pipeline.tables.registry import USER_FEATURES
from pipeline.tables.texts import elements

CHANCES = [column.name for column in USER_FEATURES.columns if column.name.startswith("p_")]


@dataclass(frozen=True)
class Facts:
    """A user's row, with the names of what it mentions and the average of all users."""

    row: dict[str, Any]
    topics: dict[str, str]  # topic_id -> name
    titles: dict[str, str]  # item_id -> title
    average: dict[str, float]  # chance -> mean of all users of the day
    users: int
    interventions: list[dict[str, Any]] = field(default_factory=list)  # that have not expired

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def facts_of(settings: Settings, user: str, ds: str) -> Facts:
    """Raises NotPublishedError when the user has no row on that day."""
    found = scan("user_features", ds, settings).filter(f"user_id = '{user}'").to_arrow()
    rows = as_declared(found, USER_FEATURES).to_pylist()
    if not rows:
        raise NotPublishedError(
            f"user_features ds={ds}: no row of user {user}; expected one user active in the last "
            f"{settings.active_days} days"
        )
    chances = scan("user_features", ds, settings).select(*CHANCES).to_arrow()
    average = {name: pc.mean(chances[name]).as_py() for name in CHANCES}
    current = _interventions(settings, user, ds)
    meant = {row["item_id"] for row in current if row["item_id"]}
    titles = _titles(settings, ds, sorted({*_mentioned(rows[0]), *meant}))
    topics = _topic_names(settings, ds)
    return Facts(rows[0], topics, titles, average, chances.num_rows, current)


def _mentioned(row: dict[str, Any]) -> list[str]:
    """Every item id in the row."""
    return sorted(
        {
            entry[field]
            for column in USER_FEATURES.columns
            for field in elements(column.type)
            if field.endswith("item_id")
            for entry in row[column.name] or []
            if entry[field] is not None
        }
    )


def _interventions(settings: Settings, user: str, ds: str) -> list[dict[str, Any]]:
    """Of the nights up to `ds`, what may still be done after it; the newest first."""
    if not published("interventions", settings):
        return []
    mine = f"user_id = '{user}' and ds <= '{ds}' and expires_ds > '{ds}'"
    found = scan("interventions", None, settings).filter(mine).to_arrow()
    rows = as_declared(found, INTERVENTIONS).to_pylist()
    return sorted(rows, key=lambda row: (row["ds"], row["kind"]), reverse=True)


def _titles(settings: Settings, ds: str, items: list[str]) -> dict[str, str]:
    rows = _newest(settings, "items", ds, ["item_id", "title"], items)
    return {row["item_id"]: row["title"] for row in rows if row["title"]}


def _topic_names(settings: Settings, ds: str) -> dict[str, str]:
    rows = _newest(settings, "topics", ds, ["topic_id", "name"])
    return {row["topic_id"]: row["name"] for row in rows}


def _newest(
    settings: Settings, name: str, ds: str, columns: list[str], items: list[str] | None = None
) -> list[dict[str, Any]]:
    """Columns of the newest day up to `ds`; of `items` alone where they are given."""
    days = [day for day in published(name, settings) if day <= ds]
    if not days or items == []:
        return []
    rows = scan(name, max(days), settings).select(*columns)
    if items is not None:
        rows = rows.filter(In("item_id", set(items)))  # type: ignore[call-arg, misc]
    found: pa.Table = rows.to_arrow()
    return found.to_pylist()
