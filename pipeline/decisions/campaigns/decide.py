"""Whether the challenger takes over: judged on impressions that neither policy has learned from.

Both policies learn from the feedback up to `judge_days` before its end and are judged, doubly robust, on the rest (what
is published and repeated has learned from that too, which favours leaving it in place). The challenger takes over when
the lower bounds of both its 95% intervals (normal, bootstrap) are above zero and the log is sufficient.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from pipeline.decisions.bandits.specification import CHAMPION, UNIFORM, Policy
from pipeline.decisions.campaigns.campaign import Campaign
from pipeline.decisions.campaigns.learned import AsPublished, Learned, Lesson, learn
from pipeline.decisions.ope.judge import Verdict, compare, in_chunks
from pipeline.decisions.ope.linear_model import fit_linear
from pipeline.decisions.ope.log import Log
from pipeline.decisions.ope.tally import Evaluated

ESTIMATOR = "doubly_robust"
CHUNK_ROWS = 100_000
UNTIL_SOUND = f"{UNIFORM}, until feedback is sound"  # where nothing is in place yet
NOT_ENOUGH = 2  # impressions: fewer have no spread


@dataclass(frozen=True)
class Decision:
    """The policy that serves from now on, and why. `verdict` is None where nothing was judged."""

    policy: Policy
    challenger: Policy | None
    decision: str
    reason: str
    verdict: Verdict | None = None

    @property
    def bounds(self) -> tuple[float, float]:
        """The wider of the two intervals of the gain, on either side."""
        assert self.verdict is not None
        gain = self.verdict.estimates[ESTIMATOR]
        return min(gain.normal[0], gain.bootstrap[0]), max(gain.normal[1], gain.bootstrap[1])


def incumbent(campaign: Campaign, label: str | None) -> Policy:
    """The policy that a published label names; what the file does not know any more repeats."""
    if label in (None, UNTIL_SOUND):
        return campaign.champion
    for policy in (campaign.champion, campaign.challenger):
        if policy and policy.label == label:
            return policy
    return Policy(CHAMPION)


def decide(
    campaign: Campaign,
    label: str | None,
    lesson: Lesson,
    propensity: np.ndarray,
    published: Callable[[], AsPublished],
    seed: int,
) -> Decision:
    """The policy of tomorrow. `label` is the policy published today, None at the start."""
    champion, challenger = incumbent(campaign, label), campaign.challenger
    if challenger is None or challenger == champion:
        why = "no other policy is declared as challenger"
        if champion.name == CHAMPION != campaign.champion.name:
            why += f"; {campaign.champion.label} is not in place, so it should be declared as one"
        return Decision(champion, None, "unchallenged", why)
    late = lesson.age_days < campaign.judge_days
    if late.sum() < NOT_ENOUGH:
        return _kept(
            champion,
            challenger,
            f"{late.sum()} impressions of the last {campaign.judge_days} days have had their time; wait",
        )
    early, judged = _as_known_then(lesson.where(~late), campaign.judge_days), lesson.where(late)
    policies = [learn(it, early, campaign, seed, published) for it in (challenger, champion)]
    verdict = _judge(campaign, judged, propensity[late], policies)
    return _decision(campaign, champion, challenger, verdict)


def _as_known_then(lesson: Lesson, days: int) -> Lesson:
    """The lesson as policies would have learned it that many days ago."""
    return replace(lesson, age_days=lesson.age_days - days)


def _judge(campaign: Campaign, judged: Lesson, propensity: np.ndarray, policies: list[Learned]) -> Verdict:
    names = tuple(arm.name for arm in campaign.arms)
    # Pseudonyms are hexadecimal hashes, so their last digits are as good as any hash of them.
    cluster = pl.Series(judged.user).str.slice(-15).str.to_integer(base=16).to_numpy()
    log = Log.checked(names, judged.arm, judged.reward, propensity, cluster=cluster, context=_with_segments(judged))
    chunks = [_row_by_row(chunk) for chunk in in_chunks(log, CHUNK_ROWS)]
    challenger, champion = (_of_chunk(campaign, it, judged) for it in policies)
    return compare(chunks, challenger, champion, fit_linear(chunks))


def _row_by_row(chunk: Log) -> Log:
    """Every row is its own stratum."""
    return Log(**{**vars(chunk), "stratum": np.arange(len(chunk))})


def _of_chunk(campaign: Campaign, policy: Learned, judged: Lesson) -> Evaluated:
    """The policy's probabilities of all arms for the rows of a chunk; retired ones have none."""
    active = np.array([not arm.retired for arm in campaign.arms])

    def of(chunk: Log) -> np.ndarray:
        rows = slice(chunk.first_row, chunk.first_row + len(chunk))
        table = np.zeros((len(chunk), len(active)))
        table[:, active] = policy.of(judged.user[rows], judged.segment[rows], judged.features[rows])
        return table

    return of


def _with_segments(judged: Lesson) -> np.ndarray:
    names, at = np.unique(judged.segment, return_inverse=True)
    return np.column_stack([judged.features, np.eye(len(names))[at]])


def _decision(campaign: Campaign, champion: Policy, challenger: Policy, verdict: Verdict) -> Decision:
    if verdict.refusal:
        kept = _kept(champion, challenger, verdict.refusal, verdict)
    else:
        gain = verdict.estimates[ESTIMATOR]
        kept = _kept(champion, challenger, "", verdict)
        low, high = kept.bounds
        said = f"gain {gain.value:.5f} per impression, {low:.5f} to {high:.5f}"
        if low > 0:
            return Decision(challenger, challenger, "replaced", f"{said}: above zero", verdict)
        kept = _kept(champion, challenger, f"{said}: not above zero for sure", verdict)
    if campaign.experiment_share:
        why = f"{campaign.experiment_share:.0%} of users try the challenger; {kept.reason}"
        return Decision(champion, challenger, "experiment", why, verdict)
    return kept


def _kept(champion: Policy, challenger: Policy, why: str, verdict: Verdict | None = None) -> Decision:
    return Decision(champion, challenger, "kept", why, verdict)
