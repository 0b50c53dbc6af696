"""The nights of an online store: which one serves, and which one a rollback returns to."""

import json
from dataclasses import asdict, dataclass, replace

from pipeline.runtime.errors import OnlineError
from pipeline.storage.publications import Publication


@dataclass(frozen=True)
class Night:
    """One loaded night. `schema` is the Arrow schema of its values, as text."""

    version: str
    ds: str
    digest: str  # of the publication that was loaded
    rows: int  # users, new ones of refreshes too
    schema: str
    refreshed: str = ""  # hour of the refresh that wrote into it last


@dataclass(frozen=True)
class Nights:
    """What the pointer holds. `left` is the night that a rollback left: not to be loaded again."""

    current: Night | None = None
    previous: Night | None = None
    left: Night | None = None

    @property
    def versions(self) -> set[str]:
        """The versions that must stay when a night is loaded."""
        return {night.version for night in (self.current, self.previous) if night}

    def why_not(self, ds: str, publication: Publication) -> str:
        """Why a publication is not to be loaded; empty when it is."""
        now, left = self.current, self.left
        if now and (now.ds, now.digest) == (ds, publication.digest):
            return f"ds={ds} serves already (version {now.version})"
        if left and (left.ds, left.digest) == (ds, publication.digest):
            return f"ds={ds} was rolled back (version {left.version}); --force loads it again"
        if now and ds < now.ds:
            return f"the newer ds={now.ds} serves; --force loads ds={ds} nevertheless"
        return ""

    def forward(self, night: Night) -> "Nights":
        """`night` serves, and a rollback can return to the previous one."""
        return Nights(night, previous=self.current)

    def back(self) -> "Nights":
        """The previous night serves. Raises OnlineError when none is kept."""
        if self.current is None or self.previous is None:
            raise OnlineError(
                "online store: expected a previous night to go back to, found none; load the day "
                "that should serve with `python -m pipeline online load --ds D --force`"
            )
        return Nights(self.previous, left=self.current)

    def without(self, removed: dict[str, int]) -> "Nights":
        """The same nights with that many rows fewer, by version."""

        def less(night: Night | None) -> Night | None:
            return night and replace(night, rows=night.rows - removed.get(night.version, 0))

        return Nights(less(self.current), less(self.previous), less(self.left))

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes | None) -> "Nights":
        found = json.loads(text) if text else {}
        return cls(**{name: Night(**night) for name, night in found.items() if night})
