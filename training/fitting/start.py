"""What training starts from: fresh weights, a pretrained backbone, or an earlier model.

An earlier model keeps its architecture and its ids: items that it does not know are appended, so no id ever changes its
meaning. A new id starts with the weights of "unknown", which its item was before.
"""

from dataclasses import replace

import torch
from torch import Tensor

from pipeline.runtime.errors import ModelError
from pipeline.runtime.settings import Settings
from training.data.users import HEADS
from training.fitting.data import TrainingData
from training.model.model import TrainedModel, load
from training.network.backbone import Pretrained, read_pretrained
from training.network.network import Ensemble, InterestModel, Shape
from training.network.presets import Preset
from training.network.tuning import tune
from training.registry.versions import aliased, folder_of

HEAD_WEIGHTS = ("heads.", "mean", "spread")


def open_start(settings: Settings, name: str) -> TrainedModel:
    """The model of a version, an alias, or a training run (its MLflow id).

    Raises ModelError when there is none.
    """
    from mlflow.exceptions import MlflowException

    from training.registry.runs import artifact_folder, open_client

    client = open_client(settings)
    version = name if name.isdecimal() else aliased(client, name)
    try:
        folder = folder_of(client, version) if version else artifact_folder(client, name, "model")
    except MlflowException:
        raise ModelError(f"--init: expected a version, champion, challenger or an MLflow run, found {name!r}") from None
    found = load(folder)
    if not isinstance(found.model, Ensemble):
        return found
    first = found.model.members[0]  # as good a start as any
    assert isinstance(first, InterestModel)
    return replace(found, model=first)


def new_model(data: TrainingData, preset: Preset, device: torch.device) -> InterestModel:
    """A model to train; all processes get the same one."""
    torch.manual_seed(preset.seed)
    start, backbone = data.start, None
    if start is None and preset.backbone:
        backbone = read_pretrained(preset.backbone, preset.events)
    model = InterestModel(_shape(data, preset, backbone))
    model.mean.copy_(torch.from_numpy(data.mean))
    model.spread.copy_(torch.from_numpy(data.spread))
    if backbone is not None:
        model.backbone.load_state_dict(backbone.weights)
    if start is not None:
        _take_over(model, start, data)
    model.to(device)
    tune(model, preset)
    return model


def _shape(data: TrainingData, preset: Preset, backbone: Pretrained | None) -> Shape:
    sizes = {
        "text_width": data.catalogue.text.shape[1],
        "ids": len(data.vocabulary.item_ids),
        "platforms": len(data.catalogue.platforms),
        "features": data.examples.features.shape[1],
        "heads": len(HEADS),
    }
    prefix = preset.prefix if preset.tuning == "prefix" else 0
    if data.start is not None:
        shape = data.start.model.shape
        kept = shape.prefix or prefix
        return replace(shape, **sizes, dropout=preset.dropout, prefix=kept, reads_text=preset.reads_text)
    shape = Shape.of(preset, **sizes)
    if backbone is None:
        return replace(shape, prefix=prefix)
    return replace(shape, prefix=prefix, backbone=backbone.config, masked=backbone.masked)


def _take_over(model: InterestModel, start: TrainedModel, data: TrainingData) -> None:
    """Copies the earlier model's weights to the items and platforms they belong to."""
    if start.card.encoder != data.catalogue.encoder:
        raise ModelError(
            f"--init: expected a model of text encoder {data.catalogue.encoder}, which wrote "
            f"item_embeddings, found {start.card.encoder}; train without --init"
        )
    old, new = start.model.state_dict(), model.state_dict()
    for name in ("ids.weight", "bias.weight"):
        old[name] = _appended(old[name], len(new[name]))
    old["platform.weight"] = _by_platform(old["platform.weight"], new["platform.weight"], start, data)
    same_heads = all(old[n].shape == new[n].shape for n in new if n.startswith(HEAD_WEIGHTS))
    if not same_heads or not start.card.preset.get("heads_weight", 1.0):
        old = {name: weights for name, weights in old.items() if not name.startswith(HEAD_WEIGHTS)}
    model.load_state_dict({**new, **old})


def _appended(weights: Tensor, rows: int) -> Tensor:
    """Appends rows, each a copy of row 0 (unknown)."""
    return torch.cat([weights, weights[:1].expand(rows - len(weights), -1)])


def _by_platform(old: Tensor, new: Tensor, start: TrainedModel, data: TrainingData) -> Tensor:
    """[1 + platforms] rows in the order of the data's platforms; new platforms keep their random weights."""
    rows = new.clone()
    rows[0] = old[0]
    for code, name in enumerate(data.catalogue.platforms, start=1):
        if name in start.card.platforms:
            rows[code] = old[1 + start.card.platforms.index(name)]
    return rows
