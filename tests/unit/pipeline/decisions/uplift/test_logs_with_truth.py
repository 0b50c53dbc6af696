"""Uplift in the generator's ads, whose truth is known, and in a real log, where none shows.

Open Bandit (Saito et al. 2021): 10,000 impressions of a random policy, 46 clicks.
"""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from pipeline.decisions.uplift.judge import judge
from pipeline.decisions.uplift.trial import Trial
from pipeline.sources.sample import ads
from tests.real_data import folder_of, needs
from tests.unit.pipeline.decisions.campaigns.campaign_home import user

DATA = folder_of("open_bandit_women")


def test_the_generators_ads_move_those_who_like_their_topic() -> None:
    """Campaign 0 beside campaign 1 of eight, by a policy that prefers what people like: of all
    users the policy chose for, those who saw one of the two, by the chance of the one they saw."""
    rng = np.random.default_rng(5)
    users = 16_000
    liked = rng.integers(0, 4, users)
    topics = np.stack([ads.CAMPAIGN_TOPICS[liked], ads.CAMPAIGN_TOPICS[liked] + 1], axis=1)
    odds = ads.policy(topics, np.tile([0.7, 0.3], (users, 1)))
    shown = (rng.random((users, 1)) >= np.cumsum(odds, axis=1)).sum(axis=1).clip(max=7)
    visit = np.where(rng.random(users) < 0.7, ads.CAMPAIGN_TOPICS[liked], -1)
    clicked = ads.clicks(rng, shown, visit).astype(float)
    features = np.eye(4, dtype=np.float32)[liked]
    every = Trial(
        "campaign:ads",
        "one",
        "zero",
        "a click",
        np.array([user(n) for n in range(users)]),
        shown == 0,
        clicked,
        odds[np.arange(users), shown],
        features,
        tuple("abcd"),
        users,
    )
    found = judge(every.rows(shown < 2))
    gain = 0.7 * (ads.CLICK_ON_TOPIC - ads.CLICK_ELSEWHERE)
    truth = np.array([gain, -gain, 0.0, 0.0])
    for effect in (found.plain, found.adjusted):
        assert effect.interval()[0] < truth.mean() < effect.interval()[1]
    assert found.scored
    models = [model(np.eye(4)) for model in found.scorers.models]
    assert np.mean(models, axis=0) == pytest.approx(truth, abs=0.05)
    assert found.deciles[0].interval()[0] < gain < found.deciles[0].interval()[1]


@pytest.mark.realdata
@needs("open_bandit_women")
def test_46_clicks_do_not_tell_whom_a_group_of_items_moves() -> None:
    rows = pl.read_csv(DATA / "random.csv.gz")
    group = pl.read_csv(DATA / "item_context.csv").sort("item_id")["item_feature_0"].to_numpy() > 0
    treated, share = group[rows["item_id"].to_numpy()], group.mean()
    known = rows.select([f"user_feature_{number}" for number in range(4)]).to_dummies()
    made = Trial(
        "campaign:open_bandit",
        "others",
        "group",
        "a click",
        np.array([user(n) for n in range(len(rows))]),
        treated,
        rows["click"].to_numpy().astype(float),
        np.where(treated, share, 1 - share),
        known.to_numpy().astype(np.float32),
        tuple(known.columns),
        len(rows),
    )
    found = judge(made)
    assert not found.scored
    assert "it cannot be told whether the effect differs" in found.reason
    low, high = found.plain.interval()
    assert low < 0 < high < 0.005
    wrong = replace(made, propensity=np.where(treated, 1 / 46, 45 / 46))
    with pytest.raises(Exception, match="1/propensity of arm group to average 1"):
        judge(wrong)
