"""The plan of one training job: given on the command line, or read back from an earlier run.

A retried job does the same as at first, even if the champion has changed since.
"""

import argparse
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pipeline.runtime.days import parse_day
from pipeline.runtime.settings import Settings
from training.data.catalogue import NO_PINS, Pins
from training.data.scope import EVERYTHING, Scope, scope_of
from training.fitting.start import open_start
from training.model.model import TrainedModel
from training.network.presets import Preset, preset_named
from training.registry.origins import origin_of
from training.registry.runs import find_run, open_client, run_with_id
from training.registry.versions import CHAMPION, aliased

if TYPE_CHECKING:
    from mlflow import MlflowClient

RUN_ID_LENGTH = 32  # of MLflow


@dataclass(frozen=True)
class Plan:
    """`reproduces` names the MLflow run to repeat: such a model is not a challenger."""

    ds: str
    run: str
    preset: Preset
    init: str = ""  # version or MLflow run that it starts from; "" = from scratch
    start: TrainedModel | None = None
    pins: Pins = field(default_factory=lambda: NO_PINS)
    reproduces: str = ""
    scope: Scope = EVERYTHING

    @property
    def is_challenger(self) -> bool:
        """Whether its model is new and for all users."""
        partial = self.preset.is_pretraining or bool(self.scope.platforms)
        return not partial and not self.reproduces


def planned(given: argparse.Namespace, settings: Settings) -> Plan:
    """The plan of a command line."""
    ds = parse_day(given.ds)
    if given.reproduces:
        return _again(given, settings, ds)
    return replace(_asked(given, settings, ds), scope=scope_of(given.platforms or ""))


def _asked(given: argparse.Namespace, settings: Settings, ds: str) -> Plan:
    preset = preset_named(given.preset or settings.train_preset)
    preset = replace(preset, backbone=given.backbone or preset.backbone)
    wanted = given.init or (CHAMPION if given.warm_start else "")
    if not wanted:
        return Plan(ds, given.run, preset)
    client = open_client(settings)
    first_try = _init_of_first_try(client, given.run, ds)
    init = _resolved(client, wanted) if first_try is None else first_try
    if given.warm_start and not init:  # no champion yet: from scratch
        return Plan(ds, given.run, preset)
    start = open_start(settings, init or wanted)
    preset = (preset.warm() if given.warm_start else preset).on(start.card.preset)
    return Plan(ds, given.run, preset, init, start)


def _again(given: argparse.Namespace, settings: Settings, ds: str) -> Plan:
    origin = origin_of(run_with_id(open_client(settings), given.reproduces))
    start = open_start(settings, origin.init) if origin.init else None
    return Plan(
        ds,
        given.run,
        origin.preset,
        origin.init,
        start,
        origin.pins,
        given.reproduces,
        scope_of(origin.platforms),
    )


def _init_of_first_try(client: "MlflowClient", run: str, ds: str) -> str | None:
    found = find_run(client, run, ds)
    return client.get_run(found).data.params.get("job.init") if found else None


def _resolved(client: "MlflowClient", name: str) -> str:
    """A version or run id unchanged; for an alias, its version, or "" if no version has it."""
    if name.isdecimal() or len(name) == RUN_ID_LENGTH:
        return name
    return aliased(client, name) or ""
