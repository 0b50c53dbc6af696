"""Parts of the behaviour signals against values worked out by hand."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_jobs.behaviour.cycles import due_again, learn_cycles
from spark_jobs.behaviour.intents import learn_words
from spark_jobs.behaviour.prices import UsualReturns, usual_prices
from spark_jobs.behaviour.rhythm import Rhythm, active_days, gaps, rhythm
from spark_jobs.behaviour.unpacked import Unpacked, unpack
from spark_jobs.behaviour.unusual import FEATURES, learn_usual
from tests.unit.spark_jobs.lives_of_users import DS, ITEMS, act, history, moment


def on_days(*agos: int) -> Unpacked:
    """One user, active so many days ago."""
    return with_kinds([(ago, "view") for ago in agos])


def with_kinds(*users: list[tuple[int, str]]) -> Unpacked:
    """Users by what they did how many days ago."""
    days = [(row, ago, kind) for row, user in enumerate(users) for ago, kind in user]
    schema = {"row": pl.UInt32, "ago": pl.Int32, "kind": pl.String}
    return Unpacked(len(users), pl.DataFrame(days, schema, orient="row"), pl.DataFrame(), pl.DataFrame())


@given(silence=st.integers(0, 200), more=st.integers(1, 100), step=st.integers(5, 14))
@settings(max_examples=100, deadline=None)
def test_a_longer_silence_never_calms(silence: int, more: int, step: int) -> None:
    short, long = (
        rhythm(on_days(*(quiet + step * n for n in range(7))), 10.0).fading[0]
        for quiet in (silence + 3 * step + 14, silence + more + 3 * step + 14)
    )
    assert long >= short


def test_a_burst_of_days_makes_no_regular() -> None:
    """Six days in a row span 5 days, fewer than 28."""
    pace = rhythm(on_days(*range(10, 16)), 10.0)
    assert not pace.is_regular[0]
    assert pace.fading[0] == 0


def test_impressions_are_no_activity_unless_there_is_nothing_else() -> None:
    views, shown = [(ago, "view") for ago in (60, 75, 90)], [(ago, "impression") for ago in (1, 2, 80)]
    often = [(50 + 7 * n, "impression") for n in range(26)]  # each week, and then no more
    pace = rhythm(with_kinds(views, views + shown, shown, often), 5.0)
    for column in (pace.usual_gap, pace.is_regular, pace.fading, pace.segment):
        assert column[0] == column[1]
    assert pace.segment.tolist() == ["lapsed", "lapsed", "active", "active"]
    assert not pace.is_regular[2:].any() and not pace.fading[2:].any()
    assert np.isnan(pace.usual_gap[2:]).all()
    assert len(gaps(*active_days(with_kinds(shown, often)))[1]) == 0  # nor do they make others' usual gap


def test_usual_gap_without_any_gap_is_four_weeks() -> None:
    assert Rhythm.usual(np.empty(0)) == 28


def test_return_rates_that_differ_much_are_pulled_little() -> None:
    """Half of all come back; users have none or all of five: beyond the noise of 0.25 / 5 they
    differ by 0.25 - 0.05 = 0.2, so the mean counts for 0.25 / 0.2 - 1, at least 1 purchase."""
    usual = UsualReturns.learn(np.array([0.0, 5.0]), np.array([5.0, 5.0]))
    assert usual == UsualReturns(0.5, 1.0)


def test_return_rates_that_do_not_differ_are_pulled_much() -> None:
    usual = UsualReturns.learn(np.array([1.0, 1.0]), np.array([5.0, 5.0]))
    assert usual == UsualReturns(0.2, 100.0)


def test_nothing_bought_gives_a_rate_of_zero() -> None:
    assert UsualReturns.learn(np.zeros(3), np.zeros(3)).rate == 0


def test_goods_that_are_used_up_are_due_and_others_are_not() -> None:
    """Thirty users buy item 0 every 10 days, thirty bought item 1 once, 40 days ago."""
    rows = [act(f"{n:02d}", 0, "purchase", moment(ago), 1.0) for n in range(30) for ago in (25, 15, 5)]
    rows += [act(f"{n:02d}", 1, "purchase", moment(40), 1.0) for n in range(30, 60)]
    chunk = unpack(history(rows), usual_prices(ITEMS), DS)
    cycles = learn_cycles(chunk)
    found = due_again(chunk, cycles, DS)
    assert found["row"].to_list() == list(range(30))
    entry = found["due_again"][0].to_list()[0]
    assert (entry["item_id"], entry["topic_id"], entry["due_ds"]) == (
        "shop:0",
        "t0000",
        "2024-04-05",
    )
    assert entry["cycle_days"] == pytest.approx(10)


def test_two_orders_on_following_days_are_one_errand() -> None:
    rows = [act("u", 0, "purchase", moment(ago), 1.0) for ago in (21, 20, 10, 9)]
    chunk = unpack(history(rows), usual_prices(ITEMS), DS)
    assert learn_cycles(chunk).kind_gap == pytest.approx(np.log(11))  # from last to last order


def test_who_bought_today_is_not_due_before_a_cycle_from_today() -> None:
    """All others come back after 20 days; one user bought on each of the last 18 days."""
    rows = [act(f"{n:02d}", 0, "purchase", moment(ago), 1.0) for n in range(30) for ago in (45, 25, 5)]
    rows += [act("z", 0, "purchase", moment(ago), 1.0) for ago in range(18)]
    chunk = unpack(history(rows), usual_prices(ITEMS), DS)
    daily = due_again(chunk, learn_cycles(chunk), DS).filter(row=30)["due_again"][0].to_list()
    assert [entry["due_ds"] for entry in daily] == ["2024-04-20"]


def test_a_word_stands_for_the_topic_of_most_of_its_items() -> None:
    items = pl.DataFrame(
        {
            "item_id": ["a", "b", "c"],
            "title": ["Green Mug", "green mug", "Green lamp"],
            "topic_id": ["t0001", "t0001", "t0002"],
        }
    )
    topics = dict(learn_words(items).topics.select("word", "topic_id").iter_rows())
    assert topics == {"green": "t0001", "mug": "t0001", "lamp": "t0002"}


def test_the_rarity_of_a_score_is_that_of_users() -> None:
    """One feature, normal: at most one user of 500 is noted, and the middle scores low."""
    generator = np.random.default_rng(1)
    features = np.full((20_000, len(FEATURES)), np.nan)
    features[:, 0] = generator.normal(size=20_000)
    usual = learn_usual(features)
    features[:, 0] = generator.normal(size=20_000)
    score, reasons = usual.score(features)
    assert sum(reason is not None for reason in reasons) <= 40
    assert np.median(score) < 0.15
    far = np.full((1, len(FEATURES)), np.nan)
    far[0, 0] = 12.0
    assert usual.score(far)[0][0] > 0.7
    assert usual.score(far)[1] == [FEATURES[0]]


def test_of_a_handful_of_users_nobody_stands_out() -> None:
    features = np.zeros((49, len(FEATURES)))
    features[0] = 100
    score, reasons = learn_usual(features).score(features)
    assert score.max() == 0
    assert reasons == [None] * 49
