"""Published nights of `user_features`, small and sound."""

import time

from pipeline.runtime.settings import Settings
from pipeline.storage.publish import publish
from pipeline.tables.registry import table_named
from tests.unit.pipeline.staged_factory import SOUND, pass_audit, stage

FEATURES = table_named("user_features")


def user(number: int) -> str:
    return f"{number:032x}"


def features(ds: str, number: int, **changes: object) -> dict[str, object]:
    """A sound row of a user whose `recency_days` are its number."""
    row = {"ds": ds, "user_id": user(number), "first_ds": ds, "last_ds": ds}
    return {**SOUND["user_features"], **row, "recency_days": number, **changes}


def publish_features(settings: Settings, ds: str, users: int, **changes: object) -> None:
    """Publishes users 0, 1, … of a day; `changes` holds for every row."""
    run = f"test-{time.time_ns()}"
    rows = [features(ds, number, **changes) for number in range(users)]
    pass_audit(settings, stage(settings, "user_features", {ds: rows}, run))
    publish(settings, FEATURES, run)
