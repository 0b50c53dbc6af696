"""Which version scores within the day: the one that hourly learning lets serve, else the champion.

An hourly version goes on from one champion. When another version is champion, by a promotion or by
a rollback, it serves no more: its line has ended.
"""

from typing import TYPE_CHECKING

from pipeline.runtime.settings import Settings
from training import champion
from training.registry.versions import MODEL, aliased
from training.registry.runs import open_client

if TYPE_CHECKING:
    from mlflow import MlflowClient

HOURLY, CANDIDATE = "hourly", "hourly_candidate"  # aliases
BASE, HOUR = "hourly.base_version", "hourly.hour"  # tags of an hourly version


def serving(settings: Settings) -> str | None:
    """The version to score with between two nights, None when there is no champion.

    Without TIDEMARK_HOURLY_LEARNING it is the champion, whatever was learned before.
    """
    base = champion.version(settings)
    if base is None or not settings.hourly_learning:
        return base
    return of_line(open_client(settings), HOURLY, base) or base


def of_line(client: "MlflowClient", alias: str, base: str) -> str | None:
    """The version with the alias, None when there is none or it goes on from another champion."""
    found = aliased(client, alias)
    if found is None:
        return None
    return found if client.get_model_version(MODEL, found).tags.get(BASE) == base else None
