"""The model registry: versions of `tidemark`, with the aliases challenger and champion."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.runtime.errors import ModelError
from pipeline.runtime.settings import Settings
from training.registry.logged_models import link_version
from training.registry.runs import local_folder, open_client

if TYPE_CHECKING:
    from mlflow import MlflowClient

MODEL = "tidemark"
CHAMPION, CHALLENGER = "champion", "challenger"

# Tags of a version: whether and when it became champion, against whom, and when it was rolled back.
PROMOTED, PROMOTED_AT = "promotion.promoted", "promotion.promoted_at"
AGAINST, ROLLED_BACK = "promotion.against", "promotion.rolled_back"

HOURLY, CANDIDATE = "hourly", "hourly_candidate"  # aliases
BASE, HOUR = "hourly.base_version", "hourly.hour"  # tags of an hourly version


def register(client: "MlflowClient", run_id: str, ds: str) -> str:
    """The version of a training run, created on first use, and now the challenger."""
    found = version_of_run(client, run_id)
    if found is None:
        if not client.search_registered_models(f"name = '{MODEL}'"):
            client.create_registered_model(MODEL, description="interest model, one for all users")
        run = client.get_run(run_id)
        version = client.create_model_version(MODEL, f"{run.info.artifact_uri}/model", run_id, tags={"ds": ds})
        found = str(version.version)
        link_version(client, run, MODEL, found)
    client.set_registered_model_alias(MODEL, CHALLENGER, found)
    return found


def version_of_run(client: "MlflowClient", run_id: str) -> str | None:
    """The registered version of a training run, None when there is none."""
    found = client.search_model_versions(f"name = '{MODEL}' and run_id = '{run_id}'")
    return str(found[0].version) if found else None


def aliased(client: "MlflowClient", alias: str) -> str | None:
    """The version with the alias, None when there is none."""
    models = client.search_registered_models(f"name = '{MODEL}'")
    found = models[0].aliases.get(alias) if models else None
    return None if found is None else str(found)


def folder_of(client: "MlflowClient", version: str) -> Path:
    """The model folder of a version. Raises ModelError when there is no such version."""
    from mlflow.exceptions import MlflowException

    try:
        return local_folder(str(client.get_model_version(MODEL, version).source))
    except MlflowException:
        raise ModelError(
            f"model {MODEL}: expected a registered version, found {version!r}; "
            "see `python -m training.champion --print`"
        ) from None


def day_of(client: "MlflowClient", version: str) -> str:
    """The day that a version was trained for."""
    return str(client.get_model_version(MODEL, version).tags["ds"])


def version(settings: Settings) -> str | None:
    """The champion's version, None if there is none; a home without models is not changed."""
    return aliased(open_client(settings), CHAMPION) if has_registry(settings) else None


def has_registry(settings: Settings) -> bool:
    """Whether there may be versions; asking makes no database."""
    return bool(settings.mlflow_uri) or (settings.mlflow / "mlflow.db").exists()


def load(settings: Settings, wanted: str) -> Path:
    """The model folder of a version. Raises ModelError when it is not registered."""
    return folder_of(open_client(settings), wanted)


def encoder_of_version(settings: Settings, wanted: str) -> str:
    """The text encoder whose item vectors a version reads, as its card says."""
    return str(json.loads((load(settings, wanted) / "card.json").read_text())["encoder"])


def roll_back(client: "MlflowClient") -> tuple[str, str]:
    """The version that was champion, and the one that is now.

    Raises ModelError if there is nothing to go back to.
    """
    champion = aliased(client, CHAMPION)
    if champion is None:
        raise ModelError(f"model {MODEL}: expected a champion, found none; nothing to roll back")
    before = client.get_model_version(MODEL, champion).tags.get(AGAINST, "none")
    if before == "none":
        raise ModelError(f"model {MODEL}: expected a version before champion {champion}, found none; it was the first")
    folder = folder_of(client, before)
    if not folder.exists():
        raise ModelError(
            f"model {MODEL}: expected the folder of version {before}, found no {folder}; train again instead"
        )
    now = datetime.now(UTC).isoformat(timespec="seconds")
    client.set_model_version_tag(MODEL, champion, ROLLED_BACK, now)
    client.set_registered_model_alias(MODEL, CHAMPION, before)
    return champion, before


def serving(settings: Settings) -> str | None:
    """The version to score with between two nights, None if there is no champion.

    Without TIDEMARK_HOURLY_LEARNING it is the champion, whatever was learned before.
    """
    base = version(settings)
    if base is None or not settings.hourly_learning:
        return base
    return of_line(open_client(settings), HOURLY, base) or base


def of_line(client: "MlflowClient", alias: str, base: str) -> str | None:
    """The version with the alias, None if there is none or if it continues from another champion."""
    found = aliased(client, alias)
    if found is None:
        return None
    return found if client.get_model_version(MODEL, found).tags.get(BASE) == base else None
