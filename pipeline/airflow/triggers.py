"""What the triggerer looks out for: a day that lands, on behalf of a task, and files that land late, for an asset."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseEventTrigger, BaseTrigger, TriggerEvent

from pipeline.airflow import waits
from pipeline.runtime.errors import TidemarkError
from pipeline.runtime.settings import load_settings
from pipeline.tables.registry import RAW_EVENTS

FIRST_PAUSE, LONGEST_PAUSE = 10.0, 300.0  # seconds between two looks; a tenth of the wait so far, within these
LOOK_SECONDS = 60.0  # between two looks for late files, which lie still when both find them alike
NAMED = 5  # late files in one event


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


class LateFiles(BaseEventTrigger):
    """Fires for every file that landed or changed after its day was loaded, once it lies still.

    It never ends: a look that fails is logged, and the next one may succeed.
    """

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{type(self).__module__}.{type(self).__qualname__}", {}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        before: frozenset[str] = frozenset()
        told: frozenset[str] = frozenset()
        while True:
            try:
                found = await asyncio.to_thread(self.look)
            except Exception:
                self.log.exception("looking for late files failed; looking again in %.0f s", LOOK_SECONDS)
            else:
                told &= found  # what was repaired may be late once more
                still = found & before
                if still - told:
                    yield TriggerEvent({"files": sorted(still - told)[:NAMED], "count": len(still - told)})
                    told |= still
                before = found
            await asyncio.sleep(LOOK_SECONDS)

    def look(self) -> frozenset[str]:
        """The late files as they lie there now."""
        from pipeline.storage.lineage import Lineage

        return frozenset(Lineage(load_settings(), (RAW_EVENTS.name,)).late_files())
