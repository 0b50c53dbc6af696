"""Published days of `user_features` with made-up rows, for readers' tests."""

from datetime import datetime

from pipeline.runtime.settings import Settings
from pipeline.storage.publications import Publication
from pipeline.storage.publish import publish
from pipeline.tables.registry import table_named
from tests.unit.pipeline.staged_factory import SOUND, pass_audit, stage

ANN, BOB, EVE = "a" * 32, "b" * 32, "e" * 32


def features(user: str, ds: str, **changes: object) -> dict[str, object]:
    """A sound row of a user on a day, made by a model of that day."""
    row = SOUND["user_features"]
    return {**row, "user_id": user, "ds": ds, "model_ds": ds, **changes}


def publish_days(
    settings: Settings, run: str, days: dict[str, list[dict[str, object]]], table: str = ""
) -> dict[str, Publication]:
    """Publishes the rows as `run`; returns the days that changed."""
    name = table or "user_features"
    pass_audit(settings, stage(settings, name, days, run))
    return publish(settings, table_named(name), run)


def at(text: str) -> datetime:
    """An instant, from ISO text with an offset."""
    instant = datetime.fromisoformat(text)
    assert instant.tzinfo, text
    return instant
