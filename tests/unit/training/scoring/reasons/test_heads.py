"""Reasons of the chances: shares that sum up, and events that are really taken away."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch

from tests.unit.training.factory import DS, daily, event
from tests.unit.training.scoring.reasons.shop import mixed_users, predictor, states_of
from tests.unit.training.scoring.test_scoring import history
from training.data.arrow import day_number
from training.data.users import HEADS
from training.data.windowed_counts import FEATURES
from training.model.predictor import Predictor
from training.propensity.plain_models import INPUTS, Scale, fit_plain_models, stack_inputs
from training.propensity.stack import Head, Mix, Propensities, sources
from training.scoring.reasons.columns import EXPLAINED, propensity_reasons
from training.scoring.reasons.effects import feature_effects, feature_names, readable
from training.scoring.reasons.occlusion import newest, occlusion, without

pytestmark = pytest.mark.kernel

PURCHASE = HEADS.index("purchase_28d")


@pytest.fixture(scope="module")
def stacked() -> Predictor:
    """A head of purchases that weighs all three sources; within 7 days a rate that orders nothing
    anew, the others are the transformer alone."""
    generator = np.random.default_rng(1)
    inputs = generator.gamma(1.0, 1.0, (400, len(INPUTS))).astype(np.float32)
    labels = (inputs[:, INPUTS.index("purchase_28d")] + generator.normal(size=400) > 1).astype(float)
    scale = Scale.of(inputs)
    plain = fit_plain_models(inputs, scale.apply(inputs), labels, np.ones(400))
    head = Head(mix=Mix([0.5, 0.4, 0.7], 0.1), plain=plain)
    alone = Head(mix=Mix([1.0, 0.0, 0.0], 0.0))
    rates = {name: float(name == "churn_7d") for name in HEADS if name.endswith("_7d")}
    heads = [Head(rate=rates[name]) if name in rates else alone for name in HEADS]
    heads[PURCHASE] = head
    found = predictor()
    return replace(found, trained=replace(found.trained, fitted_propensities=Propensities(heads, scale)))


def test_shares_of_features_sum_to_the_distance_from_the_average(stacked: Predictor) -> None:
    states = states_of(mixed_users(6), stacked)
    rows = np.arange(len(states))
    users, inputs = stacked.users(states, rows), stack_inputs(states, rows)
    found = feature_effects(stacked, PURCHASE, users, inputs)
    fitted = stacked.trained.fitted_propensities
    assert fitted is not None
    head = fitted.heads[PURCHASE]
    assert head.plain is not None
    logits = stacked.trained.head_logits(users, states.features)[:, PURCHASE]
    weights = np.array([0.5, 0.4, 0.7])
    whole = sources(head.plain, logits, inputs, fitted.scale.apply(inputs)) @ weights
    nobody = stacked.users(states_of(history((["shop"], [])), stacked), np.arange(1))
    average = fitted.scale.mean[None, : len(FEATURES)].astype(np.float32)
    start = stacked.trained.head_logits(nobody, average)[0, PURCHASE]
    expected = head.plain.booster.predict(inputs, pred_contrib=True)[0, -1]  # type: ignore[index]
    base = 0.5 * start + 0.4 * head.plain.bias + 0.7 * expected
    assert found.sum(axis=1) == pytest.approx(whole - base, abs=1e-2)
    assert np.abs(found).max() > 0.05


def test_a_rate_has_no_reasons(stacked: Predictor) -> None:
    heads = Propensities([Head(rate=0.2)] * len(HEADS), Scale.of(np.zeros((1, len(INPUTS)))))
    found = replace(stacked, trained=replace(stacked.trained, fitted_propensities=heads))
    users = mixed_users(2)
    states = states_of(users, found)
    vectors = found.users(states, np.arange(2))
    assert propensity_reasons(found, users, states, vectors).to_pylist() == [[], []]


def test_the_newest_kinds_and_days_are_tried() -> None:
    events = [
        event("shop:001", "view", "2024-05-01"),
        event("shop:002", "view", "2024-05-03"),
        event("shop:002", "purchase", "2024-05-03", 13),
        event("shop:002", "purchase", "2024-05-03", 14),
    ]
    row, kind, day = newest(history((["shop"], []), (["shop"], events))["daily"], most=2)
    names = ["impression", "view", "search", "cart", "favorite", "purchase", "return", "review"]
    assert row.tolist() == [1, 1]
    assert [names[k] for k in kind] == ["view", "purchase"]
    assert set(day.tolist()) == {day_number("2024-05-03")}


def test_an_event_is_worth_what_the_head_says_without_it(stacked: Predictor) -> None:
    """Against a history that was written by hand without the purchase of the last day."""
    before = [event("shop:001", "view", "2024-05-01"), event("shop:002", "purchase", "2024-05-10")]
    last = [event("shop:003", "purchase", DS), event("shop:004", "view", DS, 13)]
    whole, rest = history((["shop"], [*before, *last])), history((["shop"], [*before, last[1]]))
    heads = [PURCHASE, HEADS.index("churn_28d")]
    states, less = states_of(whole, stacked), states_of(rest, stacked)
    found = occlusion(stacked, whole, day_number(DS), stacked.users(states, np.arange(1)), heads)
    bought = np.flatnonzero((found.kind == 5) & (found.day == day_number(DS)))
    assert len(bought) == 1
    chances = [stacked.chances(given)[0, heads] for given in (states, less)]
    odds = [np.log(chance / (1 - chance)) for chance in chances]
    for place, change in enumerate(odds[0] - odds[1]):
        assert abs(change) > 1e-3
        assert found.effect[bought[0], place] == pytest.approx(change, abs=1e-3)


def test_events_leave_both_the_counts_and_the_list() -> None:
    events = [event("shop:001", "view", "2024-05-01"), event("shop:002", "view", "2024-05-02")]
    cut = without(history((["shop"], events)), np.zeros(1, int), np.ones(1, int), np.array([day_number("2024-05-02")]))
    row = cut.to_pylist()[0]
    assert [entry["item_id"] for entry in row["events"]] == ["shop:001"]
    assert row["daily"] == daily(events[:1])


def test_reasons_by_head_features_first(stacked: Predictor) -> None:
    users = mixed_users(4)
    states = states_of(users, stacked)
    vectors = stacked.users(states, np.arange(4))
    for reasons in propensity_reasons(stacked, users, states, vectors).to_pylist():
        heads = [reason["head"] for reason in reasons]
        assert list(dict.fromkeys(heads)) == [HEADS[k] for k in EXPLAINED]
        mine = [reason for reason in reasons if reason["head"] == "purchase_28d"]
        assert [reason["kind"] for reason in mine] == ["feature"] * 3 + ["event"] * 2
        for kind in ("feature", "event"):
            sizes = [abs(reason["effect"]) for reason in mine if reason["kind"] == kind]
            assert sizes == sorted(sizes, reverse=True)
        assert all(reason["name"].startswith("view 2024-05-2") for reason in mine[3:])


def test_taking_named_events_away_moves_the_chance_more_than_others(stacked: Predictor) -> None:
    """Deletion, from the raw history: the named day against every other day of the user."""
    users = mixed_users(12)
    states = states_of(users, stacked)
    vectors = stacked.users(states, np.arange(len(states)))
    reasons = propensity_reasons(stacked, users, states, vectors).to_pylist()
    odds = _odds(stacked, users)
    more = []
    for user, mine in enumerate(reasons):
        name = next(r["name"] for r in mine if (r["head"], r["kind"]) == ("purchase_28d", "event"))
        change = {}
        for day in {entry["arrival_ds"] for entry in users["daily"][user].as_py()}:
            rest = [e for e in users["events"][user].as_py() if e["arrival_ds"] != day]
            change[f"view {day}"] = abs(_odds(stacked, history((["shop"], rest)))[0] - odds[user])
        assert len(change) == 6
        others = [moved for what, moved in change.items() if what != name]
        assert change[name] > max(others) - 1e-4
        more.append(change[name] / np.mean(others))
    assert np.mean(more) > 1.2


def _odds(found: Predictor, users: pa.Table) -> np.ndarray:
    chance = found.chances(states_of(users, found))[:, PURCHASE]
    return np.log(chance / (1 - chance))


def test_names_can_be_read() -> None:
    assert len(set(feature_names())) == len(feature_names())
    counts = ("purchase_28d", "search_7d", "recency", "active_days_90d")
    assert [readable(name) for name in counts] == ["purchases_28d", "searches_7d", "recency_days", "active_days_90d"]
    assert readable("active_visit_2_ago") == "days_since_visit_2"
    assert readable("purchase_visit_5_ago") == "days_since_purchase_5"
    assert readable("active_gap_mean") == "visit_gap_mean"


def test_the_same_rows_give_the_same_reasons(stacked: Predictor) -> None:
    users = mixed_users(5)
    states = states_of(users, stacked)
    vectors = stacked.users(states, np.arange(5))
    torch.manual_seed(5)
    first = propensity_reasons(stacked, users, states, vectors)
    assert first.equals(propensity_reasons(stacked, users, states, vectors))
