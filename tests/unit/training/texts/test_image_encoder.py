"""Pictures of items: encoded once, beside the text, and missing where there is none."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from transformers import ViTConfig, ViTModel

from pipeline.runtime.errors import LandingError, SettingsError
from pipeline.runtime.settings import Settings
from pipeline.tables.registry import ITEMS
from tests.unit.training.factory import DS as FACTORY_DS
from training.data.catalogue import build_catalogue
from training.fitting.data import load_training_data
from training.fitting.fit_model import build_trainer
from training.network.presets import PRESETS
from training.texts.encoders import open_encoder
from training.texts.images import ImageEncoder, JointEncoder
from training.texts.item_texts import embed_items, known_vectors

DS, WIDTH, TEXT = "2026-03-31", 16, 4
CPU = torch.device("cpu")


class Letters:
    """How many of four letters a text has."""

    version = "letters"

    def encode(self, texts: list[str]) -> np.ndarray:
        counts = [[text.count(letter) for letter in "abcd"] for text in texts]
        return np.array(counts, np.float32).reshape(-1, TEXT)


@pytest.fixture(scope="module")
def vision(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small vision transformer, as it lies on disk."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("vision")
    sizes = {"num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    config = ViTConfig(hidden_size=WIDTH, image_size=16, patch_size=8, **sizes)
    ViTModel(config).save_pretrained(folder)
    return folder


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    """Two pictures, one of them under two names."""
    for name, colour in (("red", "red"), ("blue", "blue"), ("again", "red")):
        Image.new("RGB", (20, 12), colour).save(tmp_path / f"{name}.png")
    return tmp_path


@pytest.fixture
def joint(vision: Path, landing: Path) -> JointEncoder:
    return JointEncoder(Letters(), ImageEncoder(str(vision)), landing)


def items(*rows: tuple[str, str | None, str | None]) -> pa.Table:
    """From (id, title, picture)."""
    return pa.Table.from_pylist(
        [
            {
                "ds": DS,
                "item_id": f"shop:{name}",
                "platform": "shop",
                "title": title,
                "image_path": picture,
                "first_ds": DS,
                "updated_ds": DS,
            }
            for name, title, picture in rows
        ],
        schema=ITEMS.schema,
    )


def test_text_and_picture_stand_side_by_side(joint: JointEncoder) -> None:
    table, fresh = embed_items(
        items(
            ("both", "aab", "red.png"),
            ("text", "aab", None),
            ("gone", "aab", "missing.png"),
            ("picture", None, "red.png"),
            ("twin", "aab", "again.png"),
            ("blue", "aab", "blue.png"),
        ),
        {},
        DS,
        joint,
    )
    rows = {row["item_id"].removeprefix("shop:"): row for row in table.to_pylist()}
    vectors = {name: np.array(row["embedding"]) for name, row in rows.items()}
    assert fresh == 4  # the twin has the bytes of the first; a missing file is no picture
    assert vectors["both"][:TEXT].tolist() == [2, 1, 0, 0]
    assert vectors["both"][-1] == 1
    assert np.linalg.norm(vectors["both"][TEXT:-1]) == pytest.approx(1, abs=1e-4)
    assert vectors["text"].tolist() == vectors["gone"].tolist() == [2, 1, 0, 0] + [0] * (WIDTH + 1)
    assert vectors["picture"].tolist() == [0] * TEXT + vectors["both"][TEXT:].tolist()
    assert vectors["twin"].tolist() == vectors["both"].tolist()
    assert not np.allclose(vectors["blue"][TEXT:], vectors["both"][TEXT:], atol=1e-3)
    catalogue = build_catalogue(table)
    assert catalogue.picture_columns == WIDTH + 1
    assert joint.version == catalogue.encoder


def test_a_picture_is_encoded_again_when_its_bytes_change(joint: JointEncoder, landing: Path) -> None:
    shop = items(("mug", "a", "red.png"), ("cup", "b", "blue.png"))
    table, _ = embed_items(shop, {}, DS, joint)
    known = known_vectors(table, joint.version)
    assert embed_items(shop, known, DS, joint)[1] == 0
    Image.new("RGB", (20, 12), "green").save(landing / "red.png")
    changed, fresh = embed_items(shop, known, DS, joint)
    assert fresh == 1
    same = [old == new for old, new in zip(table.to_pylist(), changed.to_pylist(), strict=True)]
    assert same == [True, False]  # cup, mug


def test_company_changes_no_bit(joint: JointEncoder) -> None:
    names = ["red.png", "blue.png", ""] * 15
    together = joint.encode_items(["a"] * 45, names)
    alone = joint.encode_items(["a"], ["blue.png"])
    assert np.array_equal(together[1], alone[0])
    assert np.array_equal(together[43], alone[0])


def test_what_is_no_picture_is_named_and_paths_stay_below_landing(joint: JointEncoder, landing: Path) -> None:
    (landing / "broken.png").write_bytes(b"no picture")
    with pytest.raises(LandingError, match=r"broken\.png: expected a picture, found"):
        embed_items(items(("mug", "a", "broken.png")), {}, DS, joint)
    outside = landing.parent / "outside.png"
    Image.new("RGB", (2, 2)).save(outside)
    assert joint.look("../outside.png") == ""
    assert joint.look(str(outside)) == ""
    assert joint.look(None) == ""


def test_the_setting_names_the_vision_encoder(home: Settings, vision: Path) -> None:
    both = open_encoder(home.model_copy(update={"image_encoder": str(vision)}))
    assert isinstance(both, JointEncoder)
    assert both.encode(["a mug"]).shape[1] == 384 + WIDTH + 1
    with pytest.raises(SettingsError, match="TIDEMARK_IMAGE_ENCODER: expected a folder"):
        ImageEncoder("no-such-model")


def test_in_training_some_items_lack_picture_or_text(shop_home: Settings, tmp_path: Path) -> None:
    data = load_training_data(shop_home, FACTORY_DS, CPU)
    items = len(data.catalogue)
    content = np.ones((items, TEXT + 3), np.float32)
    content[::2, TEXT:] = 0  # every other item has no picture
    catalogue = replace(data.catalogue, text=content, encoder="letters + vit@0:3")
    preset = replace(PRESETS["tiny"], modality_dropout=0.5)
    batcher = build_trainer(replace(data, catalogue=catalogue), preset, tmp_path, CPU).batcher
    touched = np.arange(items)
    found = batcher.content(touched, (1, 0))
    pictured = touched % 2 == 1
    assert (found[~pictured] == content[~pictured]).all()
    no_picture = (found[:, TEXT:] == 0).all(axis=1) & pictured
    no_text = (found[:, :TEXT] == 0).all(axis=1)
    assert not (no_picture & no_text).any()
    for lacking in (no_picture, no_text):
        assert 0.1 < lacking.sum() / pictured.sum() < 0.45
    # Another step, other items; and outside of training all is there.
    assert not np.array_equal(found, batcher.content(touched, (1, 1)))
    assert np.array_equal(batcher.content(touched, None), content)
    assert (catalogue.text == content).all()
