"""The names of persons in bytes: pseudonyms anywhere, other ids as whole words.

`u12` is not in `u123`. A pseudonym is long enough to need no edges, which a database does not give: there the length of
a text stands before it, and may look like a letter.
"""

import re
from collections.abc import Sequence

from pipeline.tables.registry import USER

WORD = "[0-9A-Za-z_]"


class Names:
    """The words that name the persons. Most blocks contain none, so a plain search comes first."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self.tokens = tuple(sorted(tokens))
        self._plain = [token.encode() for token in self.tokens]
        users = [token for token in self.tokens if re.match(USER, token)]
        words = [re.escape(token) for token in self.tokens if token not in users]
        whole = [f"(?<!{WORD})(?:{'|'.join(words)})(?!{WORD})"] if words else []
        self._pattern = re.compile("|".join([*users, *whole] or ["(?!)"]).encode())

    @property
    def longest(self) -> int:
        return max(map(len, self._plain), default=0)

    def maybe(self, block: bytes) -> bool:
        """Whether a name is in the block, if only as a part of a word."""
        return any(token in block for token in self._plain)

    def spans(self, block: bytes) -> list[tuple[int, int]]:
        """Where the names are in a block (also a memory map)."""
        return [match.span() for match in self._pattern.finditer(block)]
