"""What is encoded of an item, and which items of a day need encoding."""

import hashlib
from typing import Protocol

import numpy as np
import pyarrow as pa

from pipeline.tables import ITEM_EMBEDDINGS


class Encoder(Protocol):
    """What turns texts into vectors; `version` names it with its weights."""

    version: str

    def encode(self, texts: list[str]) -> np.ndarray: ...


def item_text(title: str | None, category: str | None, brand: str | None) -> str:
    """Title, category and brand, those that are known, as one line."""
    return ". ".join(part.strip() for part in (title, category, brand) if part and part.strip())


def texts_of(items: pa.Table) -> list[str]:
    """The text of each row of `items`."""
    columns = [items[name].to_pylist() for name in ("title", "category", "brand")]
    return [item_text(*row) for row in zip(*columns, strict=True)]


def text_hash(text: str) -> str:
    """32 hex characters of the text's SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def embed_items(
    items: pa.Table, known: dict[str, np.ndarray], ds: str, encoder: Encoder
) -> tuple[pa.Table, int]:
    """Rows of `item_embeddings` for `items`, by item, and the number of texts encoded anew.

    `known` maps text hashes to vectors of the same encoder; it takes up the new ones.
    """
    columns = [items[name].to_pylist() for name in ("item_id", "title", "category", "brand")]
    rows = sorted(zip(*columns, strict=True))
    texts = {text_hash(text): text for text in (item_text(*row[1:]) for row in rows)}
    fresh = sorted(set(texts) - set(known))
    known.update(zip(fresh, encoder.encode([texts[h] for h in fresh]), strict=True))
    hashes = [text_hash(item_text(*row[1:])) for row in rows]
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


def known_vectors(embeddings: pa.Table, version: str) -> dict[str, np.ndarray]:
    """Text hash to vector, of the rows that the same encoder wrote."""
    hashes, encoders = embeddings["text_hash"].to_pylist(), embeddings["encoder"].to_pylist()
    vectors = embeddings["embedding"].to_pylist()
    return {
        found: np.array(vector, dtype=np.float32)
        for found, encoder, vector in zip(hashes, encoders, vectors, strict=True)
        if encoder == version
    }
