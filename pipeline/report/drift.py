"""Stages of drift, where drifting users go, and the patterns of weekly paths."""

from dataclasses import dataclass

from pipeline.report.migration import Flow
from pipeline.report.partitions import Partitions
from pipeline.report.words import MISSING, counted
from pipeline.runtime.floor import FLOOR, tellable, veiled
from pipeline.tables.interests import DRIFT_STAGES

MOVING = ("shifting", "shifted", "reviving")
MEANINGS = {
    "stable": "no change beyond what chance would give",
    "shifting": "a change found in the last four weeks",
    "shifted": "a change found before that, within three months",
    "reviving": "the change leads back to an interest of long ago",
    "fading": "an interest goes and nothing comes instead",
}
NIGHTS_SHOWN = 14
PAIRS_SHOWN = 8


@dataclass(frozen=True)
class Stage:
    """Users of one stage of drift, and those of the night before where they may be told."""

    name: str
    meaning: str
    users: int
    before: int | None
    hidden: bool


@dataclass(frozen=True)
class Pattern:
    """A kind of weekly path, with the share of an earlier night where it may be told."""

    name: str
    meaning: str
    users: int
    share: float
    switches: float
    topics: float
    before: float | None
    hidden: bool


@dataclass(frozen=True)
class Drift:
    """How many users are where, and where the drifting ones go."""

    stages: list[Stage]
    moving_by_night: dict[str, int]  # oldest first; nights of a few are left out
    pairs: list[Flow]
    patterns: list[Pattern]
    before: str | None

    @property
    def users(self) -> int:
        return sum(stage.users for stage in self.stages)

    @property
    def moving(self) -> int:
        return sum(stage.users for stage in self.stages if stage.name in MOVING)

    @property
    def moving_told(self) -> bool:
        """Whether the sum of those who move may be told."""
        return tellable(self.moving, self.users)

    @property
    def moving_text(self) -> str:
        """Those who move, as far as they may be told; a dash without interests."""
        return counted(self.moving, not self.moving_told) if self.users else MISSING


def drift(partitions: Partitions, ds: str, names: dict[str, str]) -> Drift:
    """Drift as known at `ds`."""
    before = partitions.before("user_interests", ds)
    now, then = _stages(partitions, ds), _stages(partitions, before)
    hidden, secret = _hidden(now), _hidden(then)
    stages = [
        Stage(it, MEANINGS[it], users, None if it in secret else then.get(it), it in hidden)
        for it, users in now.items()
    ]
    nights = [day for day in partitions.days("user_interests") if day <= ds][-NIGHTS_SHOWN:]
    return Drift(
        stages=stages,
        moving_by_night=_moving(partitions, nights),
        pairs=_pairs(partitions, ds, names),
        patterns=_patterns(partitions, ds),
        before=before,
    )


def _stages(partitions: Partitions, ds: str | None) -> dict[str, int]:
    """Users of every stage; empty without any user."""
    query = "SELECT drift_stage, count(*) FROM {u} GROUP BY 1"
    found = dict(partitions.rows(query, u=("user_interests", ds)))
    return {name: found.get(name, 0) for name in DRIFT_STAGES} if found else {}


def _hidden(stages: dict[str, int]) -> set[str]:
    """The stages whose users are not told; the sum of those who move is, where it may be."""
    moving = {name: users for name, users in stages.items() if name in MOVING}
    others = {name: users for name, users in stages.items() if name not in MOVING}
    if tellable(sum(moving.values()), sum(stages.values())):
        return veiled(moving) | veiled(others)
    return veiled(stages)


def _moving(partitions: Partitions, nights: list[str]) -> dict[str, int]:
    query = f"SELECT ds, count(*) FROM {{days}} WHERE drift_stage IN {MOVING} GROUP BY ds"
    found = dict(partitions.range_rows(query, "user_interests", nights))
    counts = {night: found.get(night, 0) for night in nights}
    return {night: users for night, users in counts.items() if not 0 < users < FLOOR}


def _pairs(partitions: Partitions, ds: str, names: dict[str, str]) -> list[Flow]:
    """The commonest ways of users who are moving now, none of fewer users than the floor."""
    query = f"""
    SELECT drift_from_topic, drift_to_topic, count(*) AS users FROM {{u}}
    WHERE drift_stage IN {MOVING} AND drift_from_topic <> drift_to_topic
    GROUP BY 1, 2 HAVING users >= {FLOOR} ORDER BY users DESC, 1, 2 LIMIT {PAIRS_SHOWN}
    """
    found = partitions.rows(query, u=("user_interests", ds))
    return [Flow(names.get(a, a), names.get(b, b), users) for a, b, users in found]


def _patterns(partitions: Partitions, ds: str) -> list[Pattern]:
    before = partitions.before("migration_patterns", ds)
    earlier = partitions.rows("SELECT pattern, users, share FROM {p}", p=("migration_patterns", before))
    secret = veiled({name: users for name, users, _ in earlier})
    shares = {name: part for name, _, part in earlier if name not in secret}
    query = "SELECT pattern, meaning, users, share, switches, topics FROM {p} ORDER BY users DESC, pattern"
    found = partitions.rows(query, p=("migration_patterns", ds))
    hidden = veiled({name: users for name, _, users, *_ in found})
    return [
        Pattern(name, meaning, users, part, switches, topics, shares.get(name), name in hidden)
        for name, meaning, users, part, switches, topics in found
    ]
