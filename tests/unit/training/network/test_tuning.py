"""What training starts from and what of it is trained; saved models are ordinary folders."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from safetensors.torch import load_file
from transformers import BertConfig, BertModel, LlamaConfig, LlamaModel, T5Config, T5Model

from pipeline.runtime.errors import ModelError
from pipeline.runtime.settings import Settings
from tests.unit.training.factory import DS
from training.fitting.checkpoints import Progress
from training.fitting.data import TrainingData, load_training_data
from training.fitting.fit_model import build_trainer, finish
from training.fitting.loop import Trainer
from training.fitting.start import new_model
from training.model.model import TrainedModel, load, save
from training.network.backbone import read_pretrained
from training.network.presets import PRESETS, TUNINGS, Preset
from training.network.tuning import trainable
from training.network.vocabulary import Vocabulary, vocabulary_of

CPU = torch.device("cpu")
PRESET = replace(PRESETS["tiny"], epochs=1, steps_per_epoch=6)
SIZES = {
    "hidden_size": 24,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "vocab_size": 50,
    "max_position_embeddings": 40,
}


class Interrupted(Exception):
    """A job that is killed between two epochs."""


@pytest.fixture(scope="module")
def data(shop_home: Settings) -> TrainingData:
    return load_training_data(shop_home, DS, CPU)


@pytest.fixture(scope="module")
def start(shop_home: Settings, data: TrainingData, tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    """A small model that was trained on the shop, as its folder tells it."""
    folder = tmp_path_factory.mktemp("start")
    trainer = build_trainer(data, PRESET, folder / "checkpoints", CPU)
    trainer.fit()
    save(finish(trainer, data, "start", shop_home), folder / "model")
    return load(folder / "model")


@pytest.fixture(scope="module", params=["encoder", "decoder"])
def pretrained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small Hugging Face model, saved as its authors would."""
    folder = tmp_path_factory.mktemp(request.param)
    torch.manual_seed(3)
    if request.param == "encoder":
        BertModel(BertConfig(**SIZES)).save_pretrained(folder)
    else:
        config = LlamaConfig(**SIZES, num_key_value_heads=1, bos_token_id=None, eos_token_id=None)
        LlamaModel(config).save_pretrained(folder)
    return folder


@pytest.fixture
def trainer(data: TrainingData, tmp_path: Path) -> Callable[..., Trainer]:
    def build(preset: Preset, folder: str = "a", start: TrainedModel | None = None) -> Trainer:
        return build_trainer(replace(data, start=start), preset, tmp_path / folder, CPU)

    return build


def vectors(trained: TrainedModel, data: TrainingData) -> torch.Tensor:
    items, _ = trained.item_vectors(data.catalogue)
    return trained.user_vectors(data.examples.past, np.arange(20), data.catalogue, items)


@pytest.mark.parametrize("tuning", TUNINGS)
def test_each_tuning_trains_what_it_says_and_is_saved_whole(
    tuning: str,
    start: TrainedModel,
    trainer: Callable[..., Trainer],
    data: TrainingData,
    shop_home: Settings,
    tmp_path: Path,
) -> None:
    built = trainer(replace(PRESET, tuning=tuning, rank=2), start=start)
    whole = sum(weights.numel() for weights in start.model.parameters())
    inner = sum(weights.numel() for weights in start.model.backbone.parameters())
    own = whole - inner
    expected = {"full": own + inner, "frozen": own}
    assert trainable(built.model) == expected.get(tuning, trainable(built.model))
    if tuning not in expected:
        assert own < trainable(built.model) < whole
    built.fit()
    finished = finish(built, data, "r", shop_home)
    before = vectors(finished, data)
    save(finished, tmp_path / "model")
    read = load(tmp_path / "model")
    assert torch.equal(vectors(read, data), before)
    same = {"prefix"} if tuning == "prefix" else set()
    assert read.model.state_dict().keys() - start.model.state_dict().keys() == same
    kept = [
        torch.equal(weights, read.model.backbone.state_dict()[name])
        for name, weights in start.model.backbone.state_dict().items()
    ]
    assert all(kept) == (tuning in ("frozen", "prefix"))


def test_added_weights_change_nothing_before_they_are_trained(start: TrainedModel, data: TrainingData) -> None:
    for tuning in ("full", "lora", "adalora", "ia3"):
        model = new_model(replace(data, start=start), replace(PRESET, tuning=tuning), CPU).eval()
        found = vectors(TrainedModel(model, data.vocabulary, start.card), data)
        assert torch.allclose(found, vectors(start, data), atol=1e-5), tuning


def test_ranks_move_to_the_budget_and_survive_an_interruption(
    start: TrainedModel, trainer: Callable[..., Trainer]
) -> None:
    preset = replace(PRESET, tuning="adalora", rank=2, epochs=3, steps_per_epoch=6, patience=3)
    whole = trainer(preset, "whole", start)
    expected = whole.fit()
    ranks = [w for name, w in whole.model.state_dict().items() if "lora_E" in name]
    assert sum(int((weights != 0).sum()) for weights in ranks) <= 3 * len(ranks)

    def stop(progress: Progress) -> None:
        if progress.epoch == 2:
            raise Interrupted

    with pytest.raises(Interrupted):
        trainer(preset, "broken", start).fit(stop)
    assert trainer(preset, "broken", start).fit().steps == expected.steps


def test_a_pretrained_backbone_is_read_in_the_order_of_time(
    pretrained: Path,
    trainer: Callable[..., Trainer],
    data: TrainingData,
    shop_home: Settings,
    tmp_path: Path,
) -> None:
    preset = replace(PRESET, backbone=str(pretrained), tuning="lora", rank=2)
    built = trainer(preset)
    read = read_pretrained(str(pretrained), preset.events)
    assert read.masked == ("encoder" in pretrained.name)
    name = next(n for n in read.weights if n.endswith(("query.weight", "q_proj.weight")))
    part = name.removesuffix(".weight") + ".base_layer.weight"
    assert torch.equal(built.model.backbone.state_dict()[part], read.weights[name])
    built.fit()
    finished = finish(built, data, "r", shop_home)
    before = vectors(finished, data)
    save(finished, tmp_path / "model")
    # The folder alone is enough: the pretrained files are not looked for again.
    content = (tmp_path / "model" / "card.json").read_text()
    assert load(tmp_path / "model").model.shape.backbone is not None
    (tmp_path / "model" / "card.json").write_text(content.replace(str(pretrained), "gone"))
    assert torch.equal(vectors(load(tmp_path / "model"), data), before)


def test_the_future_is_not_seen_through_any_backbone(pretrained: Path, data: TrainingData) -> None:
    model = new_model(data, replace(PRESET, backbone=str(pretrained)), CPU).eval()
    trained = TrainedModel(model, data.vocabulary, None)  # type: ignore[arg-type]
    items, _ = model.item_vectors(torch.from_numpy(data.catalogue.text), torch.arange(80))
    from training.network.inputs import inputs_of, tokens

    rows = np.flatnonzero(np.diff(data.examples.past.offsets) >= 5)[:8]
    read = tokens(data.examples.past, rows, data.catalogue, 16)
    inputs = inputs_of(read, np.arange(len(data.catalogue)), CPU)
    first = model.hidden(inputs, items)
    inputs.item[:, 5] = 7
    second = model.hidden(inputs, items)
    assert torch.allclose(first[:, :5], second[:, :5], atol=1e-5)
    assert not torch.allclose(first[:, 5], second[:, 5], atol=1e-5)
    assert trained.model is model


def test_models_that_cannot_read_events_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"backbone '\./missing': expected a Hugging"):
        read_pretrained("./missing", 8)
    T5Model(T5Config(d_model=16, d_ff=16, num_layers=1, num_heads=2, vocab_size=10)).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="expected a Hugging Face encoder or decoder"):
        read_pretrained(str(tmp_path), 8)


def test_a_sequence_that_is_too_long_for_the_backbone_is_refused(pretrained: Path) -> None:
    if "decoder" in pretrained.name:
        pytest.skip("rotary positions have no end")
    with pytest.raises(ModelError, match="reads 41 vectors"):
        read_pretrained(str(pretrained), 40)


def test_an_encoder_takes_no_prefix(pretrained: Path, data: TrainingData) -> None:
    preset = replace(PRESET, backbone=str(pretrained), tuning="prefix")
    if "decoder" in pretrained.name:
        assert new_model(data, preset, CPU).prefix is not None
        return
    with pytest.raises(ModelError, match="tuning prefix: expected a decoder"):
        new_model(data, preset, CPU)


def test_ids_grow_without_shifting_old_ones(data: TrainingData) -> None:
    seen = np.zeros(len(data.catalogue), dtype=np.int64)
    seen[[50, 3, 60]] = [5, 1, 2]
    first = vocabulary_of(data.catalogue, seen)
    assert first.item_ids.to_pylist() == ["shop:003", "shop:050", "shop:060"]
    seen[[1, 3]] = [7, 0]
    second = vocabulary_of(data.catalogue, seen, first)
    assert second.item_ids.to_pylist() == ["shop:003", "shop:050", "shop:060", "shop:001"]
    assert second.frequency.tolist() == [0, 5, 2, 7]
    gone = Vocabulary(pa.array(["shop:gone", "shop:060"]), np.array([9, 9]))
    third = vocabulary_of(data.catalogue, seen, gone)
    assert third.item_ids.to_pylist() == ["shop:gone", "shop:060", "shop:001", "shop:050"]
    assert third.frequency.tolist() == [0, 2, 7, 5]


def test_an_earlier_model_goes_on_where_it_was(start: TrainedModel, data: TrainingData, shop_home: Settings) -> None:
    """Half of the ids are cut off the earlier model: the others come back as unknown ones."""
    kept = 30
    state = start.model.state_dict()
    shape = replace(start.model.shape, ids=kept)
    from training.network.network import InterestModel

    model = InterestModel(shape)
    cut = {
        "ids.weight": state["ids.weight"][: kept + 1],
        "bias.weight": state["bias.weight"][: kept + 1],
    }
    model.load_state_dict(state | cut)
    known = Vocabulary(start.vocabulary.item_ids[:kept], start.vocabulary.frequency[:kept])
    earlier = TrainedModel(model.eval(), known, start.card)
    grown = load_training_data(shop_home, DS, CPU, earlier)
    assert grown.vocabulary.item_ids[:kept] == known.item_ids
    assert len(grown.vocabulary.item_ids) == len(start.vocabulary.item_ids)
    new = new_model(grown, PRESET, CPU).eval()
    found = TrainedModel(new, grown.vocabulary, start.card)
    assert torch.equal(vectors(found, data), vectors(earlier, data))


def test_another_encoder_is_another_space(start: TrainedModel, data: TrainingData) -> None:
    other = replace(data.catalogue, encoder="other")
    with pytest.raises(ModelError, match="--init: expected a model of text encoder other"):
        new_model(replace(data, start=start, catalogue=other), PRESET, CPU)


def test_a_folder_of_before_is_read_with_defaults(start: TrainedModel, tmp_path: Path) -> None:
    import json

    save(start, tmp_path)
    card = json.loads((tmp_path / "card.json").read_text())
    for name in ("backbone", "masked", "prefix", "reads_text"):
        del card["shape"][name]
    (tmp_path / "card.json").write_text(json.dumps(card))
    for name, weights in load(tmp_path).model.state_dict().items():
        assert torch.equal(weights, load_file(tmp_path / "weights.safetensors")[name])


def test_pretraining_uses_no_label(data: TrainingData, trainer: Callable[..., Trainer]) -> None:
    preset = replace(PRESET, heads_weight=0.0)
    built = trainer(preset, "a")
    curve = built.fit().curve
    assert curve[0]["total"] == curve[0]["items"]
    other = replace(data, examples=replace(data.examples, labels=1 - data.examples.labels))
    again = build_trainer(other, preset, built.folder.parent / "b", CPU)
    again.fit()
    for name, weights in built.model.state_dict().items():
        assert torch.equal(weights, again.model.state_dict()[name]), name


def test_fine_tuning_for_the_heads_alone_looks_at_no_target(
    start: TrainedModel, trainer: Callable[..., Trainer]
) -> None:
    built = trainer(replace(PRESET, items_weight=0.0, tuning="frozen"), start=start)
    curve = built.fit().curve
    assert curve[0]["total"] == curve[0]["heads"]
    # Nothing but weight decay.
    assert torch.allclose(built.model.bias.weight, start.model.bias.weight, rtol=1e-3)
