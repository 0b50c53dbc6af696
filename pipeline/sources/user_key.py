"""The key that pseudonymises users: from the environment, else kept in the home with mode 0600."""

import hmac
import os
import secrets
from contextlib import suppress
from pathlib import Path

from pipeline.runtime.errors import SettingsError

VARIABLE = "TIDEMARK_USER_KEY"


def load_user_key(home: Path) -> bytes:
    """The key's bytes; made once when neither the variable nor `home/user.key` exists.

    Never log or print it. Raises SettingsError when it is empty.
    """
    path = home / "user.key"
    text = os.environ.get(VARIABLE)
    if text is None:
        if not path.exists():
            _create(path)
        text = path.read_text().strip()
    if not text:
        where = VARIABLE if VARIABLE in os.environ else str(path)
        raise SettingsError(f"{where}: expected a secret key, found nothing; set {VARIABLE}")
    return text.encode()


def pseudonym(key: bytes, identity: str) -> str:
    """`user_id`: first 32 hex characters of HMAC-SHA256 (RFC 2104) of `<platform>:<raw id>`."""
    return hmac.digest(key, identity.encode(), "sha256").hex()[:32]


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(32) + "\n")
    with suppress(FileExistsError):  # another process was first, so one key wins
        os.link(temporary, path)
    temporary.unlink()
