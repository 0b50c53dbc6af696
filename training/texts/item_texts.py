"""What is encoded of an item, and which items of a day need encoding."""

import hashlib
from typing import Protocol, runtime_checkable

import numpy as np
import pyarrow as pa

from pipeline.tables.registry import ITEM_EMBEDDINGS


class Encoder(Protocol):
    """What turns texts into vectors; `version` identifies the encoder and its weights."""

    version: str

    def encode(self, texts: list[str]) -> np.ndarray: ...


@runtime_checkable
class PictureEncoder(Encoder, Protocol):
    """An encoder that also reads pictures: paths below landing/, "" for none."""

    def encode_items(self, texts: list[str], pictures: list[str]) -> np.ndarray: ...

    def look(self, path: str | None) -> str: ...


def item_text(title: str | None, category: str | None, brand: str | None) -> str:
    """The known ones of title, category and brand, as one line."""
    return ". ".join(part.strip() for part in (title, category, brand) if part and part.strip())


def texts_of(items: pa.Table) -> list[str]:
    """The text of each row of `items`."""
    columns = [items[name].to_pylist() for name in ("title", "category", "brand")]
    return [item_text(*row) for row in zip(*columns, strict=True)]


def text_hash(text: str) -> str:
    """32 hex characters of the text's SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def embed_items(items: pa.Table, known: dict[str, np.ndarray], ds: str, encoder: Encoder) -> tuple[pa.Table, int]:
    """Rows of `item_embeddings` for `items`, by item, and the number of newly encoded texts.

    `known` maps hashes of texts (and pictures) to vectors of the same encoder; the new ones are added to it.
    """
    names = ("item_id", "title", "category", "brand", "image_path")
    rows = sorted(zip(*(items[name].to_pylist() for name in names), strict=True), key=_item)
    looks = _looks([row[4] for row in rows], encoder)
    contents = [(item_text(*row[1:4]), look) for row, look in zip(rows, looks, strict=True)]
    hashes = [text_hash("\n".join(part for part in content if part)) for content in contents]
    paths = {h: row[4] if look else "" for h, row, look in zip(hashes, rows, looks, strict=True)}
    texts = {h: text for h, (text, _) in zip(hashes, contents, strict=True)}
    fresh = sorted(set(texts) - set(known))
    known.update(zip(fresh, _encoded(fresh, texts, paths, encoder), strict=True))
    table = pa.table(
        {
            "ds": [ds] * len(rows),
            "item_id": [row[0] for row in rows],
            "encoder": [encoder.version] * len(rows),
            "text_hash": hashes,
            "embedding": pa.array([known[h] for h in hashes], pa.list_(pa.float32())),
        },
        schema=ITEM_EMBEDDINGS.schema,
    )
    return table, len(fresh)


def _item(row: tuple) -> str:
    return row[0]


def _looks(paths: list[str | None], encoder: Encoder) -> list[str]:
    """A hash of each picture, "" if there is none or the encoder reads no pictures."""
    reads = isinstance(encoder, PictureEncoder)
    return [encoder.look(path) if reads else "" for path in paths]  # type: ignore[attr-defined]


def _encoded(hashes: list[str], texts: dict[str, str], paths: dict[str, str], encoder: Encoder) -> np.ndarray:
    wanted = [texts[h] for h in hashes]
    if isinstance(encoder, PictureEncoder):
        return encoder.encode_items(wanted, [paths[h] for h in hashes])
    return encoder.encode(wanted)


def known_vectors(embeddings: pa.Table, version: str) -> dict[str, np.ndarray]:
    """Text hash to vector, of the rows that the same encoder wrote."""
    hashes, encoders = embeddings["text_hash"].to_pylist(), embeddings["encoder"].to_pylist()
    vectors = embeddings["embedding"].to_pylist()
    return {
        found: np.array(vector, dtype=np.float32)
        for found, encoder, vector in zip(hashes, encoders, vectors, strict=True)
        if encoder == version
    }
