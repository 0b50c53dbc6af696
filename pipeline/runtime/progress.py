"""Say how far long work is, on standard error, once it takes longer than some seconds."""

import sys
import time

EVERY_SECONDS = 5.0


class Progress:
    """Shows at most one line in `EVERY_SECONDS`, the first after as long: short work shows none."""

    def __init__(self, every: float = EVERY_SECONDS) -> None:
        self._every = every
        self._last, self._line = time.monotonic(), ""

    def show(self, line: str) -> None:
        """Prints the line if it is another than the last one, which was long enough ago."""
        now = time.monotonic()
        if line != self._line and now - self._last >= self._every:
            self._last, self._line = now, line
            print(f"… {line}", file=sys.stderr, flush=True)
