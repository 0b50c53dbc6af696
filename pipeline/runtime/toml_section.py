"""TOML files that people write: every key is taken and checked, or the message names it."""

import re
import tomllib
from datetime import date
from math import inf
from pathlib import Path
from typing import Any

from pipeline.runtime.errors import TidemarkError


def open_toml(file: Path, error: type[TidemarkError]) -> "Section":
    """The top of a file. Raises `error`, here and for every key that is wrong."""
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise error(f"{file}: not valid TOML: {problem}; correct the file") from None
    except OSError as problem:
        raise error(f"{file}: cannot be read: {problem.strerror}") from None
    return Section(file, "", content, error)


class Section:
    """A table of the TOML; every key must be taken, so that a misspelt one is found."""

    def __init__(self, file: Path, name: str, content: dict[str, Any], error: type[TidemarkError]) -> None:
        self._file, self._name, self._left, self._error = file, name, dict(content), error

    def wrong(self, key: str, expected: str, found: object) -> TidemarkError:
        where = f"{self._name}.{key}" if self._name else key
        return self._error(f"{self._file}: {where}: expected {expected}, found {found!r}")

    def has(self, key: str) -> bool:
        return key in self._left

    def left(self) -> list[str]:
        """What has not been taken yet, in the order of the file."""
        return list(self._left)

    def section(self, key: str, optional: bool = False) -> "Section":
        content = self._left.pop(key, {} if optional else None)
        if not isinstance(content, dict):
            raise self.wrong(key, f"a table [{key}]", content)
        name = f"{self._name}.{key}" if self._name else key
        return Section(self._file, name, content, self._error)

    def text(self, key: str, pattern: re.Pattern[str] | None = None, default: str | None = None) -> str:
        found = self._left.pop(key, default)
        if not isinstance(found, str) or not found.strip():
            raise self.wrong(key, "a text", found)
        if pattern and not pattern.fullmatch(found):
            raise self.wrong(key, f"a name like {pattern.pattern}", found)
        return found

    def texts(self, required: tuple[str, ...], optional: tuple[str, ...]) -> dict[str, str]:
        """The rest of the section: the required keys and any of the optional ones."""
        found = {key: self.text(key) for key in required}
        found |= {key: self.text(key) for key in optional if key in self._left}
        self.nothing_else(allowed=(*required, *optional))
        return found

    def number(self, key: str, default: float) -> float:
        found = self._left.pop(key, default)
        if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found < inf:
            raise self.wrong(key, "a number from 0", found)
        return found

    def share(self, key: str, default: float) -> float:
        found = self.number(key, default)
        if found > 1:
            raise self.wrong(key, "a number from 0 to 1", found)
        return found

    def whole(self, key: str, default: int) -> int:
        found = self.number(key, default)
        if not isinstance(found, int):
            raise self.wrong(key, "a whole number from 0", found)
        return found

    def flag(self, key: str, default: bool) -> bool:
        found = self._left.pop(key, default)
        if not isinstance(found, bool):
            raise self.wrong(key, "true or false", found)
        return found

    def list(self, key: str, kind: type) -> list[Any]:
        found = self._left.pop(key, [])
        if not isinstance(found, list) or not all(type(value) is kind for value in found):
            raise self.wrong(key, f"a list of {kind.__name__}", found)
        return found

    def day(self, key: str) -> str | None:
        found = self._left.pop(key, None)
        if found is not None and type(found) is not date:
            raise self.wrong(key, "a date such as 2011-11-09, without quotes", found)
        return found.isoformat() if found else None

    def nothing_else(self, allowed: tuple[str, ...] = ()) -> None:
        for key, value in self._left.items():
            hint = f"; known are {', '.join(allowed)}" if allowed else ""
            raise self.wrong(key, f"no such key{hint}", value)
