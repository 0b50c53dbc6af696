"""Item pictures to vectors, with a pretrained Hugging Face vision encoder, joined to the text vectors.

A vector of `item_embeddings` is then [text | picture | 1], and [text | 0 | 0] for an item without a picture: one linear
layer over it is the sum of two projections and a learned "has a picture". The version of the encoder names both models
and how many columns the picture takes.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from transformers import AutoConfig, AutoModel
from transformers.utils import logging

from pipeline.runtime.errors import LandingError, SettingsError
from training.texts.item_texts import Encoder
from training.texts.language_model import DECIMALS, digest

BATCH = 32


class ImageEncoder:
    """Mean-pooled, unit-length embeddings of pictures. `name` is a folder or a cached id."""

    def __init__(self, name: str) -> None:
        logging.disable_progress_bar()
        try:
            model = AutoModel.from_pretrained(name, dtype=torch.float32).eval()
            size = AutoConfig.from_pretrained(name)
        except (OSError, ValueError) as error:
            raise SettingsError(
                "TIDEMARK_IMAGE_ENCODER: expected a folder or a cached Hugging Face id of a vision "
                f"encoder, found {name!r}: {str(error).splitlines()[0]}"
            ) from None
        size = getattr(size, "vision_config", size)
        self._model = getattr(model, "vision_model", model)  # of a joint model of pictures and words
        self._size = int(getattr(size, "image_size", 224))
        self._mean, self._spread = _colours(Path(name))
        self.width = int(self.encode([Image.new("RGB", (1, 1))]).shape[1])
        self.version = f"{name}@{digest(self._model)}"

    @torch.inference_mode()
    def encode(self, pictures: Sequence[Image.Image]) -> np.ndarray:
        """[pictures, width] float32; batches have one shape, so the rest of the batch changes no bit."""
        found = [np.zeros((0, getattr(self, "width", 0)), np.float32)] if not pictures else []
        for start in range(0, len(pictures), BATCH):
            pixels = [self._pixels(picture) for picture in pictures[start : start + BATCH]]
            blank = [np.zeros_like(pixels[0])] * (BATCH - len(pixels))
            read = self._model(pixel_values=torch.from_numpy(np.stack(pixels + blank)))
            hidden = read.last_hidden_state
            pooled = hidden.mean(dim=(2, 3) if hidden.ndim == 4 else 1)
            unit = torch.nn.functional.normalize(pooled.float(), dim=1)[: len(pixels)]
            found.append(np.round(unit.numpy(), DECIMALS))
        return np.concatenate(found)

    def _pixels(self, picture: Image.Image) -> np.ndarray:
        """[3, size, size] float32, scaled as in the model's training."""
        square = picture.convert("RGB").resize((self._size, self._size), Image.Resampling.BILINEAR)
        scaled = (np.asarray(square, np.float32) / 255 - self._mean) / self._spread
        return np.ascontiguousarray(scaled.transpose(2, 0, 1), np.float32)


class JointEncoder:
    """Vectors of texts joined to vectors of pictures; see the top of this file."""

    def __init__(self, text: Encoder, image: ImageEncoder, landing: Path) -> None:
        self._text, self._image, self._landing = text, image, landing
        self.version = f"{text.version} + {image.version}:{image.width + 1}"

    def encode(self, texts: list[str]) -> np.ndarray:
        """Texts only: the other columns are 0."""
        read = self._text.encode(texts)
        nothing = np.zeros((len(texts), self._image.width + 1), np.float32)
        return np.concatenate([read, nothing], axis=1)

    def encode_items(self, texts: list[str], pictures: list[str]) -> np.ndarray:
        """Texts with their pictures, paths below landing/; "" is none."""
        vectors = self.encode(texts)
        rows = [row for row, path in enumerate(pictures) if path]
        seen = self._image.encode([_open(self._landing / pictures[row]) for row in rows])
        vectors[rows, -self._image.width - 1 :] = np.pad(seen, ((0, 0), (0, 1)), constant_values=1)
        return vectors

    def look(self, path: str | None) -> str:
        """A hash of the picture's bytes; "" if there is no file below landing/."""
        file = (self._landing / path).resolve() if path else self._landing
        if not file.is_relative_to(self._landing.resolve()) or not file.is_file():
            return ""
        return hashlib.sha256(file.read_bytes()).hexdigest()[:32]


def _open(file: Path) -> Image.Image:
    try:
        with Image.open(file) as picture:
            return picture.convert("RGB")
    except (UnidentifiedImageError, OSError) as error:
        raise LandingError(
            f"{file}: expected a picture, found {str(error).splitlines()[0]}; deliver it again, or remove it"
        ) from None


def _colours(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation that pictures are scaled by; a half if the folder does not say."""
    file = folder / "preprocessor_config.json"
    told = json.loads(file.read_text()) if file.exists() else {}
    half = [0.5, 0.5, 0.5]
    mean, spread = told.get("image_mean", half), told.get("image_std", half)
    return np.array(mean, np.float32), np.array(spread, np.float32)
