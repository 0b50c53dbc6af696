"""The key that pseudonymises users: from the environment, else kept in the home with mode 0600.

A home remembers a fingerprint of its key, `user.key.fingerprint`. With another key every user would be a stranger:
their history would end, and whoever was erased would come back.
"""

import hmac
import os
import secrets
import socket
from contextlib import suppress
from pathlib import Path

from pipeline.runtime.errors import SettingsError
from pipeline.runtime.private import OTHERS, make_home

VARIABLE = "TIDEMARK_USER_KEY"
KEY, FINGERPRINT = "user.key", "user.key.fingerprint"
SHORTEST = 16  # characters; below, all keys can be tried against one id that is known
LABEL = b"tidemark: fingerprint of a home's key"  # hashed to 64 characters, where an id has 32


def load_user_key(home: Path) -> bytes:
    """The key's bytes; made once, for a home without tables, when neither the variable nor `home/user.key` exists.

    Never log or print it. Raises SettingsError when the key is short, readable by others, gone, or another than the one
    that the home's tables were made with.
    """
    path = home / KEY
    text = os.environ.get(VARIABLE)
    where = VARIABLE if text is not None else str(path)
    if text is None:
        if not path.exists():
            _refuse_second_key(home, path)
            make_home(home)
            _write_once(path, secrets.token_hex(32))
        _refuse_readable(path)
        text = path.read_text(encoding="utf-8").strip()
    key = _long_enough(text, where)
    _check_fingerprint(home, key, where)
    return key


def workers_key(home: Path, expected: str) -> bytes:
    """The key where rows are read: from the environment of that machine, or its `home`; never made there.

    `expected` is `fingerprint_of` the driver's. Raises SettingsError when there is none, or another: users of some rows
    would be somebody else.
    """
    path, text = home / KEY, os.environ.get(VARIABLE)
    where = VARIABLE if text is not None else str(path)
    if text is None and path.exists():
        _refuse_readable(path)
        text = path.read_text(encoding="utf-8").strip()
    host = socket.gethostname()
    how = f"give the workers the driver's {VARIABLE} (`spark.executorEnv.{VARIABLE}`), or its home"
    if text is None:
        raise SettingsError(f"{where} on {host}: expected the key of the home, found none; {how}")
    key = _long_enough(text, where)
    if not hmac.compare_digest(fingerprint_of(key), expected):
        raise SettingsError(f"{where} on {host}: expected the driver's key, found another; {how}")
    return key


def fingerprint_of(key: bytes) -> str:
    """What tells keys apart without telling the key: HMAC-SHA256 of a label, in hex."""
    return hmac.digest(key, LABEL, "sha256").hex()


def pseudonym(key: bytes, identity: str) -> str:
    """`user_id`: first 32 hex characters of HMAC-SHA256 (RFC 2104) of `<platform>:<raw id>`."""
    return hmac.digest(key, identity.encode(), "sha256").hex()[:32]


def _long_enough(text: str, where: str) -> bytes:
    if len(text) < SHORTEST:
        found = f"{len(text)}" if text else "nothing"
        raise SettingsError(
            f"{where}: expected a secret key of at least {SHORTEST} characters, found {found}; set {VARIABLE}, for "
            "example to the output of `openssl rand -hex 32`"
        )
    return text.encode()


def _check_fingerprint(home: Path, key: bytes, where: str) -> None:
    """Raises SettingsError for another key than the home's; a home that has none yet takes this one's."""
    path, found = home / FINGERPRINT, fingerprint_of(key)
    if not path.exists() and home.is_dir() and os.access(home, os.W_OK):
        _write_once(path, found)
    if path.exists() and not hmac.compare_digest(path.read_text(encoding="utf-8").strip(), found):
        raise SettingsError(
            f"{where}: expected the key that the tables of {home} were made with, found another, by which every user "
            f"would be somebody else; bring the key back, or load the logs into a new home"
        )


def _refuse_second_key(home: Path, path: Path) -> None:
    """Raises SettingsError where a key must have been there."""
    if (home / FINGERPRINT).exists() or (home / "warehouse").exists():
        raise SettingsError(
            f"{path}: expected the key that the tables of {home} were made with, found none; bring it back from a "
            f"backup or set {VARIABLE}. A new key is made only in a new home: it would make every user somebody else"
        )


def _refuse_readable(path: Path) -> None:
    """Raises SettingsError where others than the owner may read the key."""
    mode = path.stat().st_mode & 0o777
    if mode & OTHERS:
        raise SettingsError(
            f"{path}: expected mode 600, found {mode:o}: others may have read the key; run `chmod 600 {path}`, and "
            "move to a new home with a new key if somebody could have"
        )


def _write_once(path: Path, text: str) -> None:
    """Writes a line with mode 0600, unless another process was first."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text + "\n")
    with suppress(FileExistsError):
        os.link(temporary, path)
    temporary.unlink()
