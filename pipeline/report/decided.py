"""What was decided for the next day, and why: campaigns, interventions, uplift, experiments."""

from dataclasses import dataclass

from pipeline.report.partitions import Partitions
from pipeline.runtime.floor import veiled
from pipeline.runtime.settings import Settings
from pipeline.storage.report_files import experiment_pages


@dataclass(frozen=True)
class Campaign:
    """The policy that serves a campaign from the next day on, and how it was judged.

    Gains are in reward per impression, with the bounds of the 95% interval; None where nothing was judged.
    """

    name: str
    policy: str
    decision: str  # unchallenged, kept, replaced, experiment, refused
    reason: str
    gain: float | None
    gain_low: float | None
    gain_high: float | None
    impressions: int
    users: int


@dataclass(frozen=True)
class Kind:
    """The users listed for one kind of intervention, and how many of them are held out to compare with."""

    name: str
    users: int
    held_out: int
    hidden: bool  # its size must not be shown


@dataclass(frozen=True)
class Trial:
    """What an experiment or a campaign says of uplift."""

    name: str
    decision: str  # scored, undecided, refused
    reason: str
    users: int


@dataclass(frozen=True)
class Decided:
    """All decisions of a night. Empty without declarations, or while the DAG `ad_policy` has not run."""

    campaigns: list[Campaign]
    kinds: list[Kind]
    trials: list[Trial]
    experiments: list[str]  # names that have a page

    def __bool__(self) -> bool:
        return bool(self.campaigns or self.kinds or self.trials or self.experiments)


def decided(settings: Settings, partitions: Partitions, ds: str) -> Decided:
    """The decisions made from the features of `ds`."""
    return Decided(
        [Campaign(*row) for row in partitions.rows(CAMPAIGNS, judged=("policy_judgements", ds))],
        _kinds(partitions, ds),
        [Trial(*row) for row in partitions.rows(TRIALS, judged=("uplift_judgements", ds))],
        experiment_pages(settings),
    )


CAMPAIGNS = """
SELECT campaign, policy, decision, reason, gain, gain_low, gain_high, impressions, users
FROM {judged} ORDER BY campaign
"""
TRIALS = "SELECT trial, decision, reason, users FROM {judged} ORDER BY trial"


def _kinds(partitions: Partitions, ds: str) -> list[Kind]:
    query = "SELECT kind, count(*), count(*) FILTER (WHERE held_out) FROM {listed} GROUP BY 1 ORDER BY 2 DESC, 1"
    rows = partitions.rows(query, listed=("interventions", ds))
    hidden = veiled({kind: users for kind, users, _ in rows})
    return [Kind(kind, users, held_out, kind in hidden) for kind, users, held_out in rows]
