"""Encoders that are fitted on item texts: versions, unit vectors, what they find close."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.runtime.errors import SettingsError
from pipeline.runtime.settings import Settings
from tests.unit.training.factory import DS, publish_day
from tests.unit.training.texts.test_encode_items import items
from training.encode_items import encode
from training.texts.encoders import FittedEncoder, fit, keep, kept, open_encoder, publish_with

COLORS, THINGS = ("red", "blue", "green", "white"), ("mug", "lamp", "scarf", "drill", "kettle")
TEXTS = [f"{color} {thing} {extra}" for color in COLORS for thing in THINGS for extra in ("", "set")]


@pytest.fixture(scope="module", params=["tfidf", "word2vec"])
def encoder(request: pytest.FixtureRequest) -> FittedEncoder:
    return fit(request.param, TEXTS)


def test_vectors_have_length_one_also_of_unknown_texts(encoder: FittedEncoder) -> None:
    found = encoder.encode([*TEXTS, "", "xyzzy"])
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-3)
    assert (found[-1] == found[-2]).all()
    assert (found[:-2] @ found[-1] == 0).all()


def test_texts_of_the_same_words_are_close(encoder: FittedEncoder) -> None:
    mug, same, other = encoder.encode(["red mug", "mug, RED", "blue drill"])
    assert mug @ same > 0.6
    assert mug @ same > mug @ other + 0.2


def test_a_text_has_the_same_bits_in_any_company(encoder: FittedEncoder) -> None:
    whole = encoder.encode(TEXTS)
    assert (encoder.encode([TEXTS[7], TEXTS[3]]) == whole[[7, 3]]).all()


def test_a_fit_is_kept_and_read_back(encoder: FittedEncoder, tmp_path: Path) -> None:
    keep(encoder, tmp_path / "one")
    read = kept(encoder.kind, tmp_path / "one")
    assert read.version == encoder.version
    assert (read.encode(TEXTS) == encoder.encode(TEXTS)).all()
    assert fit(encoder.kind, TEXTS).version == encoder.version
    assert fit(encoder.kind, [*TEXTS, "purple anvil"]).version != encoder.version
    # Whoever comes second leaves the first in place.
    keep(fit(encoder.kind, ["purple anvil", "purple anvil set"]), tmp_path / "one")
    assert kept(encoder.kind, tmp_path / "one").version == encoder.version
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def never() -> list[str]:
    raise AssertionError("fitted again")


@pytest.mark.parametrize("kind", ["tfidf", "word2vec"])
def test_it_is_fitted_once_and_again_under_another_name(kind: str, home: Settings) -> None:
    def named(name: str, texts: Callable[[], list[str]]) -> str:
        return open_encoder(home.model_copy(update={"text_encoder": name}), texts).version

    first = named(kind, lambda: TEXTS)
    assert first.startswith(f"{kind}@")
    assert named(kind, never) == first
    second = named(f"{kind}:2", lambda: [*TEXTS, "purple anvil"])
    assert second.startswith(f"{kind}:2@")
    assert named(kind, never) == first


def test_a_fitted_encoder_is_published_with_the_model(home: Settings, tmp_path: Path) -> None:
    chosen = home.model_copy(update={"text_encoder": "tfidf"})
    version = open_encoder(chosen, lambda: TEXTS).version
    publish_with(chosen, tmp_path / "model")
    assert kept("tfidf", tmp_path / "model" / "encoder").version == version
    publish_with(home, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_without_any_text_there_is_nothing_to_fit(home: Settings) -> None:
    with pytest.raises(SettingsError, match=r"TEXT_ENCODER=tfidf: expected items with a title"):
        open_encoder(home.model_copy(update={"text_encoder": "tfidf"}), lambda: ["", " "])


def test_items_are_encoded_by_the_fitted_encoder(home: Settings) -> None:
    publish_day(home, "items", items(["red mug", "blue mug", None]))
    chosen = home.model_copy(update={"text_encoder": "tfidf"})
    encode(chosen, [DS], "r")
    assert (home.home / "encoders" / "tfidf").is_dir()
