"""Files and folders that appear whole or not at all."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(
    path: Path, within: Path | None = None, durable: bool = False, first_stays: bool = False
) -> Iterator[Path]:
    """Where to write a file or a folder, which then takes the place of `path` at once.

    Readers see the old content or the new one. It is written next to `path` under a hidden name, or in
    the folder `within` of the same file system, and removed when writing fails.

    `durable`: it is on disk before it can be seen. `first_stays`: of two processes that write the same
    folder, the second leaves the first one's in place; without it, a folder replaces no other.
    """
    aside = (within or path.parent) / f".{path.name}.{uuid.uuid4().hex}"
    aside.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield aside
        if durable:
            flush(aside)
        try:
            aside.replace(path)
        except OSError:
            if not (first_stays and path.is_dir()):
                raise
        if durable:
            flush(path.parent)
    finally:
        if aside.is_dir():
            shutil.rmtree(aside)
        aside.unlink(missing_ok=True)


def replace_text(path: Path, text: str, durable: bool = False) -> None:
    """Writes a text file as UTF-8, in place of the old one."""
    with replacing(path, durable=durable) as aside:
        aside.write_text(text, encoding="utf-8")


def flush(path: Path) -> None:
    """Waits until a file, or the names in a folder, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
