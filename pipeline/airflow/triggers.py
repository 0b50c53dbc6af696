"""What the triggerer waits for on behalf of a task, which takes no slot of a worker meanwhile."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from pipeline.airflow import waits
from pipeline.runtime.errors import TidemarkError
from pipeline.runtime.settings import load_settings

FIRST_PAUSE, LONGEST_PAUSE = 10.0, 300.0  # seconds between two looks; a tenth of the wait so far, within these


class LandingTrigger(BaseTrigger):
    """Fires when the day is complete, or at `until` (seconds since 1970) with what it still lacks.

    Looking at files and at the database takes a thread of its own: the triggerer's loop runs every trigger there is.
    """

    def __init__(self, ds: str, allow_empty: bool, incomplete: bool, until: float) -> None:
        super().__init__()
        self.ds, self.allow_empty, self.incomplete, self.until = ds, allow_empty, incomplete, until

    def serialize(self) -> tuple[str, dict[str, Any]]:
        own = {name: getattr(self, name) for name in ("ds", "allow_empty", "incomplete", "until")}
        return f"{type(self).__module__}.{type(self).__qualname__}", own

    async def run(self) -> AsyncIterator[TriggerEvent]:
        began, said = time.monotonic(), None
        while True:
            try:
                lacking = await asyncio.to_thread(self.look)
            except TidemarkError as error:
                yield TriggerEvent({"error": str(error)})
                return
            left = self.until - time.time()
            if not lacking or left <= 0:
                yield TriggerEvent({"lacking": lacking})
                return
            if lacking != said:
                said = lacking
                for line in lacking:
                    self.log.info("waiting: %s", line)
            pause = min(LONGEST_PAUSE, max(FIRST_PAUSE, (time.monotonic() - began) / 10))
            await asyncio.sleep(min(pause, left))

    def look(self) -> list[str]:
        """What the day lacks now."""
        settings = load_settings().model_copy(update={"allow_empty": self.allow_empty})
        return waits.landing(settings, self.ds, self.incomplete)
