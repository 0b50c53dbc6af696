"""Names as whole words: `u12` is not in `u123`."""

import re
from collections.abc import Sequence

WORD = "[0-9A-Za-z_]"


class Names:
    """The words that name the persons. Most blocks hold none: a plain search goes first."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self.tokens = tuple(sorted(tokens))
        self._plain = [token.encode() for token in self.tokens]
        either = "|".join(re.escape(token) for token in self.tokens) or "(?!)"
        self._whole = re.compile(f"(?<!{WORD})(?:{either})(?!{WORD})".encode())

    @property
    def longest(self) -> int:
        return max(map(len, self._plain), default=0)

    def maybe(self, block: bytes) -> bool:
        """Whether a name is in the block, at least as a part of a word."""
        return any(token in block for token in self._plain)

    def spans(self, block: bytes) -> list[tuple[int, int]]:
        """Where the names are in a block (also a memory map)."""
        return [match.span() for match in self._whole.finditer(block)]
