"""Which model scores a day: the one that was champion then, so that no feature knows what came after its day.

MLflow keeps no history of an alias, so it is told from what is recorded: the version in the day's published rows, and
of each version the day that it was trained for (`ds`), whether and when it became champion, and whether it was rolled
back.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipeline.runtime.days import day_end
from pipeline.runtime.errors import ModelError, UsageError
from pipeline.runtime.settings import Settings
from pipeline.storage.log_length import SHORT_LOG, days_logged
from pipeline.storage.reading import open_day, published
from pipeline.tables.features import NO_MODEL
from pipeline.tables.registry import USER_FEATURES
from training.registry.runs import open_client
from training.registry.versions import (
    CHAMPION,
    MODEL,
    PROMOTED,
    PROMOTED_AT,
    ROLLED_BACK,
    aliased,
    folder_of,
    has_registry,
)

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion


@dataclass(frozen=True)
class Champion:
    """A version that is or was champion, and was not rolled back: the day that it was trained for, since when."""

    version: str
    ds: str
    since: datetime


def model_of_day(settings: Settings, ds: str, named: str = "") -> str | None:
    """The version to score `ds` with: the one `named`, else the champion of that time; None if there never was one.

    NO_MODEL while the log is too short to train one.

    Raises UsageError when every champion was trained for a later day, ModelError when the one named is not registered.
    """
    if named == NO_MODEL:
        return NO_MODEL
    if named:
        folder_of(open_client(settings), named)
        return named
    if not has_registry(settings):
        return _before_the_first(settings, ds)
    client = open_client(settings)
    alias = aliased(client, CHAMPION)
    found = client.search_model_versions(f"name = '{MODEL}'")
    champions = [_champion(it) for it in found if str(it.version) == alias or _was_champion(it)]
    if not champions:
        return _before_the_first(settings, ds)
    present = next((it for it in champions if it.version == alias), None)
    scored = sorted(published(USER_FEATURES.name, settings))
    before = _scored_with(settings, ds) if ds in scored else ""
    return champion_then(champions, present, ds, before, scored, _night_over(settings, ds))


def champion_then(
    champions: list[Champion], present: Champion | None, ds: str, before: str, scored: list[str], over: datetime
) -> str:
    """The champion of the night of `ds`, which was over at `over`.

    `present`: who is champion now; `before`: the version that the day was scored with; `scored`: the published days.
    """
    fair = [it for it in champions if it.ds <= ds]
    if not fair and before == NO_MODEL:
        return before
    if not fair:
        earliest = min(champions, key=lambda it: (it.ds, it.since))
        raise UsageError(
            f"user_features ds={ds}: expected a champion that was trained for no later day, found none, the earliest "
            f"is version {earliest.version} of {earliest.ds}; leave the day unscored, or name a version "
            f"(`run --model-version {earliest.version}`, in Airflow the parameter model_version): its columns then "
            "know what came after the day, and as_of refuses them without hindsight=True"
        )
    if any(it.version == before for it in fair):
        return before
    if present in fair and not (scored and scored[-1] > ds):
        assert present is not None
        return present.version  # a new night
    then = [it for it in fair if it.since <= over]
    if then:
        return max(then, key=lambda it: (it.since, int(it.version))).version
    # The log was loaded after its days: the champion is the one that a night of that time would have had.
    return max(fair, key=lambda it: (it.ds, it.since, int(it.version))).version


def _before_the_first(settings: Settings, ds: str) -> str | None:
    """NO_MODEL while no model can be trained, None from then on."""
    return NO_MODEL if days_logged(settings, ds) < SHORT_LOG else None


def _champion(version: "ModelVersion") -> Champion:
    since = version.tags.get(PROMOTED_AT)  # promoted by an earlier release: when it was registered
    registered = datetime.fromtimestamp(version.creation_timestamp / 1000, UTC)
    if "ds" not in version.tags:
        raise ModelError(
            f"model {MODEL}: expected version {version.version} to have the tag ds, the day that it was trained for, "
            "found none; set the tag in MLflow"
        )
    return Champion(str(version.version), version.tags["ds"], datetime.fromisoformat(since) if since else registered)


def _was_champion(version: "ModelVersion") -> bool:
    return version.tags.get(PROMOTED) == "true" and ROLLED_BACK not in version.tags


def _scored_with(settings: Settings, ds: str) -> str:
    """The version in the day's published rows; none of a day without rows."""
    _, rows = open_day(settings, USER_FEATURES, ds)
    found = rows.head(1, columns=["model_version"])["model_version"].to_pylist()
    return str(found[0]) if found else ""


def _night_over(settings: Settings, ds: str) -> datetime:
    return day_end(ds, [settings.business_tz]) + settings.serving_delay
