"""Text from logs, shown to people: it can neither steer a terminal nor break a line, and shows no secret.

plain("a\\x1b[2Jb")     →  'a\\\\u001b[2Jb'
masked("… secret …")   →  '… *** …'
"""

import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO
from urllib.parse import unquote

# C0 and C1 without tab, line separators of Unicode, marks and overrides of direction, tags, and halves of pairs.
STEERING = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff"
UNSEEN = re.compile(f"[{STEERING}\\U000e0000-\\U000e007f]")
# Ours: an open isolate and its end keep text from right to left in its place (pipeline/runtime/wording.py).
ISOLATES = "\u2068\u2069"

SHORTEST = 4  # characters of a secret that is looked for: shorter ones would blank half of a message
SECRET = re.compile(r"(PASSWORD|SECRET|TOKEN|FERNET|USER_KEY|ACCESS_KEY|CREDENTIAL)")
ADDRESS = re.compile(r"(URI|URL|CONN|SMTP|WEBHOOK|PROXY)")
USERINFO = re.compile(r"^[a-z][a-z0-9+.-]*://(?P<user>[^:/?#]*):(?P<password>.*)@", re.IGNORECASE)


def plain(text: str, lines: bool = False) -> str:
    """The text on one line (or with its line breaks), what cannot be seen written as `\\u001b`, as JSON writes it."""
    shown = UNSEEN.sub(lambda it: it[0] if it[0] in ISOLATES else _escaped(it[0]), text)
    return shown if lines else shown.replace("\n", "\\n").replace("\t", "\\t")


def masked(text: str) -> str:
    """The text without the passwords, tokens and keys that the environment holds."""
    for secret in sorted(set(_secrets()), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def found(value: object, width: int = 80) -> str:
    """A value as an error message shows what it found: escaped, on one line, at most `width` characters."""
    text = plain(repr(value))
    return text if len(text) <= width else f"{text[: width - 1]}…"


@contextmanager
def plain_output() -> Iterator[None]:
    """Whatever is printed meanwhile is shown plainly. Standard error also shows no secret.

    Standard output is not searched for secrets: it carries rows, which must stay as they are.
    """
    out, err = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = PlainStream(out), PlainStream(err, masks=True)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = out, err


def terminal() -> TextIO:
    """Standard output as it is, for what draws on a terminal itself and shows values by `plain`."""
    return sys.stdout.stream if isinstance(sys.stdout, PlainStream) else sys.stdout


class PlainStream(io.TextIOBase):
    """A stream that shows what is written to it by `plain`, line breaks kept. It is no terminal: nothing draws on it.

    What the encoding of the stream below lacks is escaped too, where print would fail.
    """

    def __init__(self, stream: TextIO, masks: bool = False) -> None:
        self.stream = stream
        self._masks = masks

    def write(self, text: str) -> int:
        shown = plain(masked(text) if self._masks else text, lines=True)
        encoding = self.encoding or "utf-8"
        self.stream.write(shown.encode(encoding, "backslashreplace").decode(encoding))
        return len(text)

    def flush(self) -> None:
        self.stream.flush()

    def fileno(self) -> int:
        return self.stream.fileno()

    def writable(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return self.stream.errors

    @property
    def buffer(self) -> io.BufferedIOBase:
        """The bytes below, for programs that write bytes."""
        return self.stream.buffer  # type: ignore[return-value]


def _escaped(character: str) -> str:
    """As JSON escapes it: beyond the first plane as a pair."""
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{int.from_bytes(units[at : at + 2]):04x}" for at in range(0, len(units), 2))


def _secrets() -> Iterator[str]:
    for name, value in os.environ.items():
        if SECRET.search(name) and not name.endswith("_FILE"):
            found = [value]
        elif ADDRESS.search(name) and (match := USERINFO.match(value)):
            found = _pieces(match["password"])
        else:
            continue
        yield from (secret for secret in found if len(secret) >= SHORTEST)


def _pieces(password: str) -> list[str]:
    """How a password may be shown: whole, decoded, and in the pieces that a driver takes for a host or a port."""
    return [password, unquote(password), *re.split(r"[@:/?#]", password)]
