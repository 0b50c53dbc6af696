"""Text encoders that were adapted to the shop's own texts, and which of them a night uses.

    encoders/adapted/3f2a…/            the folder of each, named by the digest of its weights
    encoders/adapted/promoted.json     the promotions, oldest first

A promotion counts for the nights after its day, so that no night reads texts through an encoder that learned from later
ones, and only while TIDEMARK_TEXT_ENCODER names the encoder that was adapted.
"""

import json
import re
import shutil
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from pipeline.runtime.atomic import replace_text, replacing
from pipeline.runtime.errors import ModelError, SettingsError
from pipeline.runtime.settings import Settings

if TYPE_CHECKING:
    from training.texts.language_model import TextEncoder

NAME = "adapted"
VERSION = re.compile(rf"\b{NAME}@([0-9a-f]+)-")


@dataclass(frozen=True)
class Promotion:
    """An adapted encoder that nights after `ds` use in place of `base`."""

    base: str
    identity: str
    ds: str
    promoted_at: str
    rolled_back_at: str = ""


def folder_of(settings: Settings, identity: str) -> Path:
    """Where the encoder is kept."""
    return settings.home / "encoders" / NAME / identity


def identity_in(version: str) -> str:
    """The digest in a version of item vectors, "" if no adapted encoder wrote them."""
    found = VERSION.search(version)
    return found.group(1) if found else ""


def open_adapted(settings: Settings, identity: str) -> "TextEncoder":
    """Raises SettingsError if the folder is not there or its weights are not those that were promoted."""
    from training.texts.language_model import TextEncoder  # torch: what only asks who was promoted is quick

    folder = folder_of(settings, identity)
    if not folder.is_dir():
        raise SettingsError(
            f"{folder}: expected the adapted text encoder {identity}, found no folder; copy it from the run in MLflow "
            "(artifact `encoder`), or go back with `python -m training.promote_encoder --rollback`"
        )
    encoder = TextEncoder(NAME, settings.text_length, folder)
    if encoder.digest != identity:
        raise SettingsError(
            f"{folder}: expected weights of digest {identity}, found {encoder.digest}; copy the folder again"
        )
    return encoder


def store(settings: Settings, source: Path, identity: str) -> None:
    """Copies an encoder's folder to the home; one that is there stays."""
    target = folder_of(settings, identity)
    if not target.is_dir():
        with replacing(target, first_stays=True) as aside:
            shutil.copytree(source, aside)


def promotions(settings: Settings) -> list[Promotion]:
    """All of them, oldest first."""
    file = _file(settings)
    return [Promotion(**row) for row in json.loads(file.read_text())] if file.exists() else []


def promoted(settings: Settings, ds: str) -> Promotion | None:
    """The one that the night of `ds` uses, None for the encoder that TIDEMARK_TEXT_ENCODER names."""
    base = settings.text_encoder
    found = [it for it in promotions(settings) if it.base == base and it.ds < ds and not it.rolled_back_at]
    return found[-1] if found else None


def latest(settings: Settings) -> Promotion | None:
    """The one that counts for days to come."""
    return promoted(settings, "9999-12-31")


def promote(settings: Settings, identity: str, ds: str) -> None:
    """Nights after `ds` use the encoder from now on."""
    entry = Promotion(settings.text_encoder, identity, ds, _now())
    with _lock(settings):
        _write(settings, [*promotions(settings), entry])


def roll_back(settings: Settings) -> tuple[Promotion, Promotion | None]:
    """Takes the newest promotion back; the one taken back, and the one that counts now. ModelError if there is none."""
    with _lock(settings):
        known, present = promotions(settings), latest(settings)
        if present is None:
            raise ModelError(f"text encoder {settings.text_encoder}: expected a promoted adaptation of it, found none")
        _write(settings, [replace(it, rolled_back_at=_now()) if it == present else it for it in known])
    return present, latest(settings)


def _file(settings: Settings) -> Path:
    return settings.home / "encoders" / NAME / "promoted.json"


def _lock(settings: Settings) -> FileLock:
    _file(settings).parent.mkdir(parents=True, exist_ok=True)
    return FileLock(_file(settings).with_name(".lock"))


def _write(settings: Settings, rows: list[Promotion]) -> None:
    replace_text(_file(settings), json.dumps([asdict(it) for it in rows], indent=1) + "\n", durable=True)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
