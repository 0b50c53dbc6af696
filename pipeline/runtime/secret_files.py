"""Start a program whose environment names files of secrets, as containers mount them.

    API_KEY='{/run/secrets/api_key}' python -m pipeline.runtime.secret_files PROGRAM ARGUMENT…

`{/run/secrets/NAME}` within a variable becomes what that file holds. Between other text, as in an address with a
password, it is quoted as addresses need it. The program replaces this one, so no command line shows a secret.
"""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from pipeline.runtime import program
from pipeline.runtime.errors import SettingsError

SECRET_FILE = re.compile(r"\{(/(?:[\w.-]+/)*secrets/[\w.-]+)\}")


def with_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment with the secrets in it. Raises SettingsError for a file that is missing or empty."""
    return {name: _filled(name, value) for name, value in environment.items()}


def main() -> None:
    command = sys.argv[1:]
    if not command:
        raise SettingsError("python -m pipeline.runtime.secret_files: expected a program to start, found none")
    try:
        os.execvpe(command[0], command, with_secrets(os.environ))
    except FileNotFoundError:
        raise SettingsError(f"{command[0]}: expected a program on PATH, found none") from None


def _filled(name: str, value: str) -> str:
    if alone := SECRET_FILE.fullmatch(value):
        return _read(name, alone[1])
    return SECRET_FILE.sub(lambda it: quote(_read(name, it[1]), safe=""), value)


def _read(name: str, path: str) -> str:
    how = f"write the secret into it, or change {name}"
    try:
        text = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "bytes that are not UTF-8"
        raise SettingsError(f"{name}: expected a secret in {path}, found: {why}; {how}") from None
    if not text:
        raise SettingsError(f"{name}: expected a secret in {path}, found an empty file; {how}")
    return text


if __name__ == "__main__":
    program.run(main)
