"""Vectors of what users typed and wrote, in the space of the item vectors.

Queries and reviews are encoded when first read, and kept in `encoders/texts.db` of the home by encoder version and
hash: nights and processes share them. The file holds the newest MOST vectors and may be deleted at any time: a text
always gives the same bits.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from pipeline.runtime.errors import ModelError
from training.texts.item_texts import Encoder, text_hash

MOST, MOST_HELD = 200_000, 50_000  # vectors on disk, and in memory
SECONDS = 60  # that a process waits for another one's write
ASKED = 500  # hashes of one query
TABLE = """CREATE TABLE IF NOT EXISTS vectors (
    encoder TEXT, hash TEXT, vector BLOB, PRIMARY KEY (encoder, hash))"""


@dataclass
class EventTexts:
    """`version` is the encoder of the item vectors; `open_encoder` is called when a text is new."""

    version: str
    width: int
    file: Path
    open_encoder: Callable[[], Encoder]
    _encoder: Encoder | None = field(default=None, init=False)
    _held: dict[str, np.ndarray] = field(default_factory=dict, init=False)

    def vectors(self, texts: list[str]) -> np.ndarray:
        """[texts, width] float32.

        Raises ModelError if the configured encoder is not that of the item vectors.
        """
        hashes = [text_hash(text) for text in texts]
        if len(self._held) > MOST_HELD:
            self._held.clear()
        wanted = {key: text for key, text in zip(hashes, texts, strict=True) if key not in self._held}
        if wanted:
            self._held |= self._read(list(wanted))
            self._held |= self._encode({k: t for k, t in wanted.items() if k not in self._held})
        found = [self._held[key] for key in hashes]
        return np.stack(found) if found else np.zeros((0, self.width), np.float32)

    def _encode(self, texts: dict[str, str]) -> dict[str, np.ndarray]:
        if not texts:
            return {}
        if self._encoder is None:
            with torch.random.fork_rng(devices=[]):  # whether a text was cached must not change any draw
                self._encoder = self.open_encoder()
        if self._encoder.version != self.version:
            raise ModelError(
                f"queries and reviews: expected text encoder {self.version}, which wrote "
                f"item_embeddings, found {self._encoder.version}; set TIDEMARK_TEXT_ENCODER back, "
                "or encode the items again"
            )
        found = dict(zip(texts, self._encoder.encode(list(texts.values())), strict=True))
        self._write(found)
        return found

    def _read(self, keys: list[str]) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        with closing(self._open()) as database:
            for start in range(0, len(keys), ASKED):
                part = keys[start : start + ASKED]
                marks = ",".join("?" * len(part))
                query = f"SELECT hash, vector FROM vectors WHERE encoder = ? AND hash IN ({marks})"
                rows = database.execute(query, [self.version, *part])
                found |= {key: np.frombuffer(vector, np.float32) for key, vector in rows}
        return found

    def _write(self, vectors: dict[str, np.ndarray]) -> None:
        rows = [(self.version, key, vector.tobytes()) for key, vector in vectors.items()]
        with closing(self._open()) as database, database:
            database.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?, ?)", rows)
            newest = "SELECT rowid FROM vectors ORDER BY rowid DESC LIMIT 1 OFFSET ?"
            database.execute(f"DELETE FROM vectors WHERE rowid <= ({newest})", [MOST])

    def _open(self) -> sqlite3.Connection:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(self.file, timeout=SECONDS)
        database.execute(TABLE)
        return database
