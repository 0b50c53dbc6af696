"""The proof: a search of every file below the home for the names of erased persons, decoded (`contents`).

The search does not know how the home is laid out, so it finds what erasing missed. Links are followed, also those that
lead out of the home. What cannot be searched, or may be a name or not, is told apart: then there is no proof.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.erasure.contents import Looking, Piece, UnsearchableError, pieces
from pipeline.erasure.names import Names
from pipeline.runtime.settings import Settings

EDGE = 8  # signs behind a word that tell whether it ends there


@dataclass
class Found:
    """Files searched, those that name one of the persons, and what is in doubt, with the reason."""

    files: int = 0
    named: list[Path] = field(default_factory=list)
    doubts: dict[Path, str] = field(default_factory=dict)


def search(settings: Settings, names: Names) -> Found:
    """Searches all files below the home, those behind its links too."""
    found = Found()
    for path in files_below(settings.home):
        found.files += 1
        named, doubt = look(path, names)
        place = path.relative_to(settings.home)
        if named or _in_name(place, names):
            found.named.append(path)
        elif doubt:
            found.doubts[path] = doubt
    return found


def files_below(folder: Path) -> list[Path]:
    """Every file and link, by name; folders behind links are entered once."""
    found, seen = [], {folder.resolve()}
    for root, folders, files in os.walk(folder, followlinks=True):
        below = Path(root)
        found += [below / name for name in files]
        found += [below / name for name in folders if (below / name).is_symlink()]
        inside = {name: (below / name).resolve() for name in folders}
        folders[:] = [name for name in folders if inside[name] not in seen]
        seen |= set(inside.values())
    return sorted(found)


def named_in(path: Path, names: Names) -> bool:
    """Whether one of the names is certainly in the file."""
    return look(path, names)[0]


def look(path: Path, names: Names) -> tuple[bool, str]:
    """Whether one of the names is certainly in the file; else why it may be, or why nobody can tell."""
    if path.is_symlink() and names.named(str(path.readlink())):
        return True, ""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            return False, ""  # a link to a folder, which is entered; a pipe, which holds nothing
        with path.open("rb") as file:
            return _look(pieces(file, Looking(names.maybe, names.numbers), path), names)
    except FileNotFoundError:  # a log that was rotated, a file of a run that ended, a link that leads nowhere
        return False, "a link that leads nowhere" if path.is_symlink() else ""
    except OSError as error:
        return False, f"cannot be read: {error.strerror}"


def _look(parts: Iterator[Piece], names: Names) -> tuple[bool, str]:
    """Words in bytes have no edges: letters of a name are one there unless longer words with them are in the texts."""
    doubt, within = "", False
    try:
        for piece, start, end in _overlapping(parts, names):
            content = piece.content
            if piece.is_bound and names.bounded(content):
                return True, ""
            if not names.maybe(content):
                continue
            if names.named(content, start, end):
                return True, ""
            if names.in_doubt(content, start, end):
                doubt = doubt or "words that may be an id of theirs or not"
            if names.anywhere(content, start, end):
                if piece.is_text:
                    within = True
                elif not within:
                    doubt = doubt or "bytes that may be an id of theirs or not"
    except UnsearchableError as error:
        doubt = str(error)
    return False, doubt


def _overlapping(parts: Iterator[Piece], names: Names) -> Iterator[tuple[Piece, int, int | None]]:
    """Each piece with the end of the one before, and between which places a name has to be to count now.

    One that touches the end of a block counts with the next, when it is known what follows it.
    """
    held: dict[str, tuple[Piece, int]] = {}
    problem: UnsearchableError | None = None
    try:
        for piece in parts:
            if not piece.stream:
                yield from ((last, start, None) for last, start in held.values())
                held.clear()
                yield piece, 0, None
                continue
            before, start = held.get(piece.stream, (None, 0))
            if before is not None:
                yield before, start, len(before.content) - EDGE
                rest = before.content[max(0, len(before.content) - names.longest - EDGE) :]
                start = EDGE if len(rest) < len(before.content) else start
                piece = replace(piece, content=rest + piece.content)  # type: ignore[operator]
            held[piece.stream] = piece, start
    except UnsearchableError as error:
        problem = error  # what was read until then counts
    yield from ((last, start, None) for last, start in held.values())
    if problem is not None:
        raise problem


def _in_name(place: Path, names: Names) -> bool:
    """Whether the path of a file names a person, with or without the endings of the file's name."""
    stems = [place.name.rsplit(".", count)[0] for count in range(1, place.name.count(".") + 1)]
    return any(names.named(text) for text in (str(place), *stems))
