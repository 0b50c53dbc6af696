"""Topics by name, those that rise and fall, those that came and went."""

from dataclasses import dataclass

from pipeline.report.partitions import Partitions
from pipeline.report.words import LEAST_POINTS
from pipeline.runtime.days import shift
from pipeline.runtime.floor import FLOOR

WEEK = 7
SHOWN_EACH_WAY = 6
SHARES = """
SELECT i.topic_id, sum(i.share) / (SELECT count(*) FROM {night}), count(*)
FROM (SELECT unnest({interests}) AS i FROM {night}) GROUP BY 1
"""


@dataclass(frozen=True)
class Trend:
    """The mean share of a topic in users' short-term interests, now and then."""

    topic: str
    now: float
    then: float

    @property
    def change(self) -> float:
        return self.now - self.then


@dataclass(frozen=True)
class Trends:
    """What rises and falls most. `since`: the night compared with; None: long-term interests."""

    rising: list[Trend]
    falling: list[Trend]
    since: str | None

    @property
    def largest(self) -> float:
        """The largest change, for the length of the bars."""
        return max((abs(it.change) for it in [*self.rising, *self.falling]), default=0.0)


@dataclass(frozen=True)
class Turn:
    """A topic that came or went in the week before the night."""

    ds: str
    what: str
    topic: str
    other: str  # what it was merged into, or came out of


def topic_names(partitions: Partitions, ds: str) -> dict[str, str]:
    """Names by id; a name that two topics share carries the id. Those of the newest night known."""
    day = ds if ds in partitions.days("topics") else partitions.before("topics", ds)
    found = partitions.rows("SELECT topic_id, name FROM {t} ORDER BY 1", t=("topics", day))
    names = [name for _, name in found]
    return {it: name if names.count(name) == 1 else f"{name} ({it})" for it, name in found}


def topics_alive(partitions: Partitions, ds: str) -> int:
    """Topics that had not ended."""
    query = "SELECT count(*) FROM {t} WHERE ended_ds IS NULL"
    return int(partitions.rows(query, t=("topics", ds))[0][0])


def trends(partitions: Partitions, ds: str, names: dict[str, str]) -> Trends:
    """Short-term interests against those of a week before; on a first week, against long-term ones.

    Topics of fewer users than the floor are left out.
    """
    week_ago = shift(ds, -WEEK)
    since = week_ago if week_ago in partitions.days("user_interests") else None
    now = _shares(partitions, "interests_short", ds)
    then = _shares(partitions, "interests_short" if since else "interests_long", since or ds)
    found = [
        Trend(names.get(topic, topic), now.get(topic, (0.0, 0))[0], then.get(topic, (0.0, 0))[0])
        for topic in sorted({*now, *then})
        if max(now.get(topic, (0, 0))[1], then.get(topic, (0, 0))[1]) >= FLOOR
    ]
    ordered = sorted(found, key=lambda it: (-it.change, it.topic))
    rising = [it for it in ordered if it.change >= LEAST_POINTS][:SHOWN_EACH_WAY]
    falling = [it for it in reversed(ordered) if it.change <= -LEAST_POINTS][:SHOWN_EACH_WAY]
    return Trends(rising, falling, since)


def turns(partitions: Partitions, ds: str, names: dict[str, str]) -> list[Turn]:
    """Topics born, ended or merged in the last seven days, the newest first."""
    first = shift(ds, 1 - WEEK)
    query = f"""
    SELECT born_ds, CASE WHEN split_from IS NULL THEN 'born' ELSE 'split' END, topic_id, split_from
    FROM {{t}} WHERE born_ds >= '{first}'
        AND born_ds > (SELECT min(born_ds) FROM {{t}})  -- the first clustering is no news
    UNION ALL
    SELECT ended_ds, ended_how, topic_id, merged_into FROM {{t}} WHERE ended_ds >= '{first}'
    ORDER BY 1 DESC, 2, 3
    """
    found = partitions.rows(query, t=("topics", ds))
    return [
        Turn(day, how or "ended", names.get(it, it), names.get(other, other) if other else "")
        for day, how, it, other in found
    ]


def _shares(partitions: Partitions, interests: str, ds: str) -> dict[str, tuple[float, int]]:
    query = SHARES.replace("{interests}", interests)
    found = partitions.rows(query, night=("user_interests", ds))
    return {topic: (float(share), users) for topic, share, users in found}
