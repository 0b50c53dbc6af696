"""Reading the online store."""

import pyarrow as pa

from pipeline.features.online.backend import Backend
from pipeline.features.online.night import Night
from pipeline.features.online.row_codec import decode, from_text
from pipeline.runtime.errors import OnlineError

TRIES = 10  # each time the pointer moved between two statements; nights move once a day


class OnlineStore:
    """Features by user, always those of one night per call."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._serving: tuple[Night, pa.Schema] | None = None

    def current(self) -> Night | None:
        """The night that serves: `ds`, `version`, `rows`; None when none was ever loaded."""
        return self._backend.nights().current

    def get(self, user_ids: list[str]) -> list[dict[str, object] | None]:
        """Feature values by column name, in the order of `user_ids`; None for unknown users.

        A list holds each user's row of the same night, also while a night is being switched. Raises OnlineError when no
        night is loaded.
        """
        for _ in range(TRIES):
            night, schema = self._serving or self._look()
            serving, values = self._backend.fetch(night.version, user_ids)
            if serving == night.version:
                return decode(user_ids, values, schema)
            self._serving = None
        raise OnlineError(f"online store: the night moved {TRIES} times during a read; try again")

    def close(self) -> None:
        self._backend.close()

    def _look(self) -> tuple[Night, pa.Schema]:
        night = self.current()
        if night is None:
            raise OnlineError(
                "online store: expected a night, found none; load one with `python -m pipeline online load --ds D`"
            )
        self._serving = night, from_text(night.schema)
        return self._serving
