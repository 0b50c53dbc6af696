"""The hourly versions that continue from one champion, in the registry.

Each hour that was learned from has one version, created with its judgement as a tag: that is the commit. A job that is
retried after being killed finds the version and only moves the aliases, so an hour is judged once. The champion, its
alias and its files are never changed.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from training.registry.versions import (
    BASE,
    CANDIDATE,
    HOUR,
    HOURLY,
    MODEL,
    aliased,
    day_of,
    of_line,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

JUDGEMENT = "hourly.judgement"  # tag: the row of the hour
KEPT = 24  # versions without an alias

Row = dict[str, object]


@dataclass(frozen=True)
class Line:
    """The versions whose tag BASE names the champion `base`."""

    client: "MlflowClient"
    base: str

    @property
    def serving(self) -> str:
        """The version that serves: one of the line, or the champion."""
        return of_line(self.client, HOURLY, self.base) or self.base

    def candidate(self, hour: str) -> str | None:
        """The version that waits to be judged, trained before `hour`."""
        found = of_line(self.client, CANDIDATE, self.base)
        if found is None or found == self.serving:
            return None
        tags = self.client.get_model_version(MODEL, found).tags
        return found if tags[HOUR] < hour else None

    def judged(self, hour: str) -> Row | None:
        """The judgement of an hour that was learned from."""
        for version in self.versions():
            if version.tags[HOUR] == hour:
                row: Row = json.loads(version.tags[JUDGEMENT])
                return row | {"next_candidate": str(version.version)}
        return None

    @property
    def newest_hour(self) -> str:
        """The last hour that was learned from, "" when there is none."""
        return max((version.tags[HOUR] for version in self.versions()), default="")

    def versions(self) -> list["ModelVersion"]:
        """The versions of the line, oldest first."""
        return [it for it in hourly_versions(self.client) if it.tags[BASE] == self.base]

    def add(self, run_id: str, folder: Path, hour: str, row: Row) -> str:
        """Registers the model of `folder`, which learned from the hour, with the judgement."""
        place = f"hours/{hour[-2:]}-of-{self.base}"
        self.client.log_artifacts(run_id, str(folder), place)
        source = f"{self.client.get_run(run_id).info.artifact_uri}/{place}"
        ds = day_of(self.client, self.base)
        tags = {"ds": ds, BASE: self.base, HOUR: hour, JUDGEMENT: json.dumps(row)}
        return str(self.client.create_model_version(MODEL, source, run_id, tags=tags).version)

    def move(self, serves: str, candidate: str | None) -> None:
        """Moves the aliases; the serving one goes first, since a rollback must not wait."""
        wanted = ((HOURLY, serves if serves != self.base else None), (CANDIDATE, candidate))
        for alias, version in wanted:
            if version is not None:
                self.client.set_registered_model_alias(MODEL, alias, version)
            elif aliased(self.client, alias) is not None:
                self.client.delete_registered_model_alias(MODEL, alias)


def hourly_versions(client: "MlflowClient") -> list["ModelVersion"]:
    """All hourly versions of every champion, oldest first."""
    found = client.search_model_versions(f"name = '{MODEL}'", max_results=10_000)
    return sorted((it for it in found if BASE in it.tags), key=lambda it: int(it.version))


def forget(client: "MlflowClient") -> list[str]:
    """Deletes hourly versions and their files, except the newest KEPT and those with an alias."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    held = {aliased(client, HOURLY), aliased(client, CANDIDATE)}
    free = [it for it in hourly_versions(client) if str(it.version) not in held]
    old = free[: max(0, len(free) - KEPT)]
    for version in old:
        get_artifact_repository(str(version.source)).delete_artifacts()
        client.delete_model_version(MODEL, str(version.version))
    return [str(version.version) for version in old]
