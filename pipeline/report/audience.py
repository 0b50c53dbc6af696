"""Who was scored and with what: coverage, stages of life, segments, unusual behaviour."""

from dataclasses import dataclass

from pipeline.report.partitions import Partitions
from pipeline.report.words import share, told, told_share
from pipeline.runtime.floor import veiled

LIFE = ("new", "active", "regular", "fading", "lapsed")
REASONS_SHOWN = 12


@dataclass(frozen=True)
class Coverage:
    """Users scored of those known, items named of those in the catalogue (None: not published)."""

    scored: int | None
    known: int | None
    named: int
    items: int | None
    cold: int
    versions: list[str]

    @property
    def users(self) -> float | None:
        return share(self.scored, self.known)

    @property
    def cold_share(self) -> float | None:
        """None also where it would tell of a few."""
        return told_share(self.cold, self.scored)

    @property
    def catalogue(self) -> float | None:
        return share(self.named, self.items)


@dataclass(frozen=True)
class Group:
    """Users of one kind, and those of an earlier night where they may be told."""

    name: str
    users: int
    before: int | None
    hidden: bool


@dataclass(frozen=True)
class NamedSegment:
    """A segment for campaigns. None: fewer users than its table tells of."""

    name: str
    meaning: str
    users: int | None
    before: int | None = None


@dataclass(frozen=True)
class Audience:
    """Everything about who is there, without telling anybody apart."""

    coverage: Coverage
    scored_by_night: dict[str, int]
    cold_before: float | None  # their share
    life: list[Group]
    segments: list[NamedSegment]
    anomalies: list[Group]
    before: str | None


def audience(partitions: Partitions, ds: str) -> Audience:
    """The users of the night."""
    before = partitions.before("user_features", ds)
    return Audience(
        coverage=coverage(partitions, ds),
        scored_by_night={
            day: publication.rows for day, publication in partitions.days("user_features").items() if day <= ds
        },
        cold_before=_cold_before(partitions, before),
        life=_life(partitions, ds),
        segments=_segments(partitions, ds),
        anomalies=_anomalies(partitions, ds),
        before=before,
    )


def coverage(partitions: Partitions, ds: str) -> Coverage:
    """How much of users and catalogue the night reached."""
    named = """
    SELECT count(DISTINCT item_id) FROM (
        SELECT unnest(list_transform(next_items, lambda x: x.item_id)) AS item_id FROM {f}
        UNION ALL
        SELECT unnest(list_transform(next_new_items, lambda x: x.item_id)) FROM {f})
    """
    versions = "SELECT DISTINCT model_version FROM {f} ORDER BY 1"
    return Coverage(
        scored=partitions.count("user_features", ds),
        known=partitions.count("user_history", ds),
        named=int(partitions.rows(named, f=("user_features", ds))[0][0]),
        items=partitions.count("items", ds),
        cold=_cold(partitions, ds),
        versions=[row[0] for row in partitions.rows(versions, f=("user_features", ds))],
    )


def _cold(partitions: Partitions, ds: str) -> int:
    query = "SELECT count(*) FROM {f} WHERE is_cold_start"
    return int(partitions.rows(query, f=("user_features", ds))[0][0])


def _cold_before(partitions: Partitions, before: str | None) -> float | None:
    """The share of cold starts of an earlier night, where it may be told."""
    if before is None:
        return None
    return told_share(_cold(partitions, before), partitions.count("user_features", before))


def _life(partitions: Partitions, ds: str) -> list[Group]:
    before = partitions.before("user_signals", ds)
    query = "SELECT segment, count(*) FROM {s} GROUP BY 1"
    now = dict(partitions.rows(query, s=("user_signals", ds)))
    then = dict(partitions.rows(query, s=("user_signals", before)))
    names = [*LIFE, *sorted({*now} - {*LIFE})] if now else []
    return _groups({name: now.get(name, 0) for name in names}, then if before else None)


def _segments(partitions: Partitions, ds: str) -> list[NamedSegment]:
    before = partitions.before("segments", ds)
    then = dict(partitions.rows("SELECT segment, users FROM {s}", s=("segments", before)))
    query = "SELECT segment, meaning, users FROM {s} ORDER BY users IS NULL, users DESC, segment"
    found = partitions.rows(query, s=("segments", ds))
    return [NamedSegment(name, meaning, users, then.get(name)) for name, meaning, users in found]


def _anomalies(partitions: Partitions, ds: str) -> list[Group]:
    before = partitions.before("user_signals", ds)
    query = (
        "SELECT anomaly_reason, count(*) AS users FROM {s} WHERE anomaly_reason IS NOT NULL "
        "GROUP BY 1 ORDER BY users DESC, 1"
    )
    then = dict(partitions.rows(query, s=("user_signals", before)))
    now = dict(partitions.rows(query, s=("user_signals", ds)))
    return _groups(now, then if before else None)[:REASONS_SHOWN]


def _groups(now: dict[str, int], then: dict[str, int] | None) -> list[Group]:
    """The groups of a whole, with what may be told of them."""
    hidden, before = veiled(now), told(then, now)
    return [Group(it, users, before[it], it in hidden) for it, users in now.items()]
