"""Stages of drift, where drifting users go, and the patterns of weekly paths."""

from dataclasses import dataclass

from pipeline.interest_tables import DRIFT_STAGES
from pipeline.report.migration import Flow
from pipeline.report.partitions import Partitions
from pipeline.report.words import FLOOR

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
    """Users of one stage of drift, this night and the one before (None: there is none)."""

    name: str
    meaning: str
    users: int
    before: int | None


@dataclass(frozen=True)
class Pattern:
    """A kind of weekly path, with the share of an earlier night (None: there is none)."""

    name: str
    meaning: str
    users: int
    share: float
    switches: float
    topics: float
    before: float | None


@dataclass(frozen=True)
class Drift:
    """How many users are where, and where the drifting ones go."""

    stages: list[Stage]
    moving_by_night: dict[str, int]  # oldest first
    pairs: list[Flow]
    patterns: list[Pattern]
    before: str | None

    @property
    def users(self) -> int:
        return sum(stage.users for stage in self.stages)

    @property
    def moving(self) -> int:
        return sum(stage.users for stage in self.stages if stage.name in MOVING)


def drift(partitions: Partitions, ds: str, names: dict[str, str]) -> Drift:
    """Drift as known at `ds`."""
    before = partitions.before("user_interests", ds)
    now, then = _stages(partitions, ds), _stages(partitions, before)
    stages = [
        Stage(name, MEANINGS[name], now.get(name, 0), then.get(name, 0) if before else None)
        for name in DRIFT_STAGES
    ]
    nights = [day for day in partitions.days("user_interests") if day <= ds][-NIGHTS_SHOWN:]
    return Drift(
        stages=stages if now else [],
        moving_by_night=_moving(partitions, nights),
        pairs=_pairs(partitions, ds, names),
        patterns=_patterns(partitions, ds),
        before=before,
    )


def _stages(partitions: Partitions, ds: str | None) -> dict[str, int]:
    query = "SELECT drift_stage, count(*) FROM {u} GROUP BY 1"
    return dict(partitions.rows(query, u=("user_interests", ds)))


def _moving(partitions: Partitions, nights: list[str]) -> dict[str, int]:
    query = f"SELECT ds, count(*) FROM {{days}} WHERE drift_stage IN {MOVING} GROUP BY ds"
    found = dict(partitions.range_rows(query, "user_interests", nights))
    return {night: found.get(night, 0) for night in nights}


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
    shares = dict(
        partitions.rows("SELECT pattern, share FROM {p}", p=("migration_patterns", before))
    )
    query = (
        "SELECT pattern, meaning, users, share, switches, topics FROM {p} "
        "ORDER BY users DESC, pattern"
    )
    found = partitions.rows(query, p=("migration_patterns", ds))
    return [
        Pattern(name, meaning, users, part, switches, topics, shares.get(name))
        for name, meaning, users, part, switches, topics in found
    ]
