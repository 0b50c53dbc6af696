"""Estimates from one log against what another log, or the truth, says.

Open Bandit (Saito et al. 2021, ZOZOTOWN "women"): 10,000 impressions each of a random and of a
Thompson sampling policy over 46 items at 3 positions, a week of 2019. The Thompson policy knows no
context and changes by the hour; evaluated is its average over the week: the share of each item at
each position of its own log. So the estimate and the log's own mean are two views of one number.
"""

import numpy as np
import polars as pl
import pytest

from pipeline.decisions.ope.judge import evaluate
from pipeline.decisions.ope.log import Log
from pipeline.sources.sample import ads
from tests.real_data import folder_of, needs

DATA = folder_of("open_bandit_women")
ITEMS, POSITIONS = 46, 3
real = needs("open_bandit_women")


def logged(policy: str) -> Log:
    names = ["item_id", "position", "click", "propensity_score"]
    rows = pl.read_csv(DATA / f"{policy}.csv.gz", columns=names)
    return Log.checked(
        tuple(f"item {number}" for number in range(ITEMS)),
        rows["item_id"].to_numpy(),
        rows["click"].to_numpy().astype(float),
        rows["propensity_score"].to_numpy(),
        rows["position"].to_numpy() - 1,
    )


def average_policy(log: Log) -> np.ndarray:
    counts = np.zeros((POSITIONS, ITEMS))
    np.add.at(counts, (log.stratum, log.action), 1.0)
    return counts / counts.sum(axis=1, keepdims=True)


@real
@pytest.mark.realdata
def test_thompsons_value_from_the_random_log_agrees_with_its_own_log() -> None:
    random, thompson = logged("random"), logged("bts")
    verdict = evaluate(random, average_policy(thompson))
    assert not verdict.refusal
    assert verdict.diagnostics.effective_rows > 1_000
    own = thompson.reward.mean()  # 46 clicks of 10,000
    own_error = np.sqrt(own * (1 - own) / len(thompson))
    for name, found in verdict.estimates.items():
        low, high = found.normal
        assert low <= own <= high, name
        low, high = found.bootstrap
        assert low <= own <= high, name
        together = np.hypot(found.error, own_error)
        assert abs(found.value - own) < 1.96 * together, name


@real
@pytest.mark.realdata
def test_the_random_policy_cannot_be_judged_from_thompsons_log() -> None:
    """Thompson shows some items once in a million: those few rows would decide alone."""
    verdict = evaluate(logged("bts"), np.full((POSITIONS, ITEMS), 1 / ITEMS))
    assert "effective sample is too small" in verdict.refusal
    assert verdict.diagnostics.largest_weight > 10_000


def test_estimates_on_the_generators_ads_hold_the_true_value() -> None:
    """The sample's own logging policy, 20,000 impressions, beside values known by construction."""
    rng = np.random.default_rng(5)
    rows, arms = 20_000, ads.CAMPAIGNS
    liked = rng.integers(0, arms, rows)  # one of the campaigns' topics is what a person likes
    topics = np.stack([ads.CAMPAIGN_TOPICS[liked], ads.CAMPAIGN_TOPICS[liked] + 1], axis=1)
    odds = ads.policy(topics, np.tile([0.7, 0.3], (rows, 1)))
    chosen = (rng.random((rows, 1)) >= np.cumsum(odds, axis=1)).sum(axis=1).clip(max=arms - 1)
    visit = np.where(rng.random(rows) < 0.7, ads.CAMPAIGN_TOPICS[liked], -1)
    clicked = ads.clicks(rng, chosen, visit)
    propensity = odds[np.arange(rows), chosen]
    log = Log.checked(tuple("abcdefgh"), chosen, clicked.astype(float), propensity, liked)
    greedy = np.eye(arms)  # everyone sees the campaign of the topic they like
    truth = 0.7 * ads.CLICK_ON_TOPIC + 0.3 * ads.CLICK_ELSEWHERE
    verdict = evaluate(log, greedy)
    assert not verdict.refusal
    for name in ("ips", "snips", "doubly_robust", "switch_dr"):
        low, high = verdict.estimates[name].normal
        assert low <= truth <= high, name
        assert high - low < 0.04, name
