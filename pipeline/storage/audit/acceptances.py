"""Days with an unusual number of rows that somebody let pass: who, when and why.

    python -m pipeline accept webshop --ds 2026-03-31 --reason "the campaign of the year"

An acceptance belongs to a platform and a day, is kept in the state database, and is shown in the report of the night.
"""

import getpass
import socket
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Column, Float, String, Table, delete, insert, select

from pipeline.runtime.errors import UsageError
from pipeline.runtime.settings import Settings
from pipeline.runtime.state_database import engine, metadata

acceptances = Table(
    "acceptances",
    metadata,
    Column("platform", String(255), primary_key=True),
    Column("ds", String(10), primary_key=True),
    Column("reason", String(4000), nullable=False),
    Column("accepted_by", String(255), nullable=False),
    Column("accepted_at", Float(53), nullable=False),
)


@dataclass(frozen=True)
class Acceptance:
    """Who let a day of a platform pass, and why; `at` in seconds since 1970."""

    platform: str
    ds: str
    reason: str
    by: str
    at: float

    def __str__(self) -> str:
        when = datetime.fromtimestamp(self.at, UTC).strftime("%Y-%m-%d %H:%M UTC")
        return f"{self.platform} ds={self.ds}: accepted by {self.by}, {when}: {self.reason}"


def accept(settings: Settings, platform: str, ds: str, reason: str) -> Acceptance:
    """Lets the day pass however many rows it has; a second time replaces the reason. Raises UsageError without one."""
    if not reason.strip():
        raise UsageError("--reason: expected why the day is right as it is, found nothing")
    made = Acceptance(platform, ds, reason.strip(), f"{getpass.getuser()}@{socket.gethostname()}", time.time())
    table = acceptances.c
    with engine(settings).begin() as connection:
        connection.execute(delete(acceptances).where(table.platform == platform, table.ds == ds))
        row = {"platform": platform, "ds": ds, "reason": made.reason, "accepted_by": made.by, "accepted_at": made.at}
        connection.execute(insert(acceptances), row)
    return made


def accepted(settings: Settings, platform: str, ds: str) -> Acceptance | None:
    """The acceptance of a day of a platform, if there is one."""
    return next((it for it in accepted_on(settings, ds) if it.platform == platform), None)


def accepted_on(settings: Settings, ds: str) -> list[Acceptance]:
    """What was accepted of a day, by platform."""
    query = select(acceptances).where(acceptances.c.ds == ds).order_by(acceptances.c.platform)
    with engine(settings).connect() as connection:
        return [Acceptance(*row) for row in connection.execute(query)]
