"""Adapted text encoders in the registry: versions of `tidemark-encoder`, with the aliases challenger and champion."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.runtime.errors import ModelError, UsageError
from training.registry.origins import SNAPSHOT
from training.registry.runs import artifact_folder, find_run, start_run
from training.registry.versions import AGAINST, CHALLENGER, CHAMPION, PROMOTED

if TYPE_CHECKING:
    from mlflow import MlflowClient

MODEL = "tidemark-encoder"
PROGRAM = "training.adapt_encoder"
FOLDER, REPORT = "encoder", "adaptation.json"  # artifacts of a run
IDENTITY = "identity"  # tag of a version


@dataclass(frozen=True)
class AdaptReport:
    """What came of an adaptation. Figures are [value, low, high], by metric."""

    ds: str
    cut: str
    base: str  # TIDEMARK_TEXT_ENCODER
    judged_against: str  # version of the encoder that nights used then
    identity: str
    before: dict[str, list[float]]
    after: dict[str, list[float]]
    gains: dict[str, list[float]]


def begin(client: "MlflowClient", run: str, ds: str, params: dict[str, Any], inputs: dict[str, int]) -> str:
    """The MLflow run of the job, resumed where an earlier attempt began it.

    Raises UsageError if the run id is that of another program.
    """
    found = find_run(client, run, ds)
    source = client.get_run(found).data.tags.get("mlflow.source.name") if found else PROGRAM
    if source != PROGRAM:
        raise UsageError(f"--run: expected an id of its own, {run!r} of ds={ds} is a run of {source}; take another")
    run_id = start_run(client, run, ds, PROGRAM)
    begun = client.get_run(run_id).data.params
    for name, value in params.items():
        if name not in begun:
            client.log_param(run_id, name, value)
    for table, snapshot in inputs.items():
        client.set_tag(run_id, f"{SNAPSHOT}{table}", snapshot)
    return run_id


def log_report(client: "MlflowClient", run_id: str, report: AdaptReport) -> None:
    """Writes the report, and its figures as metrics: adapt_before/…, adapt_after/… and adapt_gains/…"""
    client.log_dict(run_id, report.__dict__, REPORT)
    for part in ("before", "after", "gains"):
        for name, (value, low, high) in getattr(report, part).items():
            for suffix, number in (("", value), ("_low", low), ("_high", high)):
                if number == number:  # MLflow's databases differ in what they make of NaN
                    client.log_metric(run_id, f"adapt_{part}/{name}{suffix}", number)


def report_of(client: "MlflowClient", run_id: str) -> AdaptReport:
    """Raises ModelError if the run has none."""
    listed = [it.path for it in client.list_artifacts(run_id)]
    if REPORT not in listed:
        raise ModelError(f"MLflow run {run_id}: expected an adaptation that was judged, found none; adapt first")
    return AdaptReport(**json.loads((artifact_folder(client, run_id, REPORT)).read_text()))


def encoder_folder(client: "MlflowClient", run_id: str) -> Path:
    """Where the adapted encoder of a run is."""
    return artifact_folder(client, run_id, FOLDER)


def register(client: "MlflowClient", run_id: str, report: AdaptReport) -> str:
    """The version of a run, created on first use, and now the challenger."""
    if not client.search_registered_models(f"name = '{MODEL}'"):
        client.create_registered_model(MODEL, description="text encoder adapted to the shop's own texts")
    found = client.search_model_versions(f"name = '{MODEL}' and run_id = '{run_id}'")
    if found:
        version = str(found[0].version)
    else:
        source = f"{client.get_run(run_id).info.artifact_uri}/{FOLDER}"
        tags = {"ds": report.ds, IDENTITY: report.identity}
        version = str(client.create_model_version(MODEL, source, run_id, tags=tags).version)
    client.set_registered_model_alias(MODEL, CHALLENGER, version)
    return version


def record(client: "MlflowClient", version: str, promoted: bool, against: str, reasons: list[str]) -> None:
    """Writes a decision to a version, and moves the alias champion if it was promoted."""
    tags = {PROMOTED: str(promoted).lower(), AGAINST: against}
    tags |= {f"promotion.reason.{number}": reason for number, reason in enumerate(reasons, 1)}
    for name, value in tags.items():
        client.set_model_version_tag(MODEL, version, name, value)
    if promoted:
        client.set_registered_model_alias(MODEL, CHAMPION, version)


def follow(client: "MlflowClient", identity: str) -> None:
    """Moves the alias champion to the version with that identity; takes it away for ""."""
    found = client.search_model_versions(f"name = '{MODEL}'")
    version = next((str(it.version) for it in found if it.tags.get(IDENTITY) == identity), None)
    if version:
        client.set_registered_model_alias(MODEL, CHAMPION, version)
    elif found:
        client.delete_registered_model_alias(MODEL, CHAMPION)
