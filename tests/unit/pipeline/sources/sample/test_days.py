"""Small parts of a day: clocks, visits, ads, bots and defects, each by hand."""

from datetime import date

import numpy as np
import pytest

from pipeline.sources.sample.ads import CAMPAIGNS, choose_campaign, policy
from pipeline.sources.sample.bots import plant_bots
from pipeline.sources.sample.clock import Clock
from pipeline.sources.sample.defects import break_lines, plant_defects
from pipeline.sources.sample.formats import user_ids
from pipeline.sources.sample.items import plant_items
from pipeline.sources.sample.people import plant_people
from pipeline.sources.sample.rows import Fate, Kind, Rows
from pipeline.sources.sample.visits import Visits, spread

HOUR_MS = 3_600_000
CLOCK = Clock(days=10, last_day=date(2026, 3, 31))


def test_days_are_counted_back_from_the_last() -> None:
    assert CLOCK.ds(9) == "2026-03-31"
    assert CLOCK.ds(0) == "2026-03-22"
    assert CLOCK.ds(-1) == "2026-03-21"
    assert CLOCK.load.sum() == pytest.approx(1)


def test_the_day_of_the_clock_change_has_23_hours() -> None:
    for platform in (0, 1):
        start = CLOCK.starts(platform, np.array([6, 7, 8]))  # 28, 29, 30 March
        assert np.diff(start).tolist() == [24 * HOUR_MS, 23 * HOUR_MS]


def test_moments_lie_within_their_local_day() -> None:
    rng = np.random.default_rng(1)
    for platform in (0, 1):
        day = np.full(2_000, 7)
        moments = CLOCK.moments(rng, np.full(2_000, platform), day)
        start = CLOCK.starts(platform, np.array(7))
        assert (moments >= start).all()
        assert (moments < start + 23 * HOUR_MS).all()


def test_visits_too_close_to_another_of_the_same_person_are_left_out() -> None:
    hours = np.array([9.0, 1.0, 2.0, 10.0, 12.5])
    user = np.array([1, 2, 1, 1, 1])
    blank = np.zeros(5, dtype=np.int64)
    start = (hours * HOUR_MS).astype(np.int64)
    visits = Visits(user, blank, blank, start, blank, blank, blank, blank, blank)
    kept = spread([visits])
    assert kept.user.tolist() == [2, 1, 1, 1]
    assert (kept.start / HOUR_MS).tolist() == [1.0, 2.0, 9.0, 12.5]


def test_the_policy_is_a_distribution_that_favours_liked_topics() -> None:
    odds = policy(np.array([[3, 1, 2], [1, 2, 4]]), np.array([[1.0, 0.0, 0.0], [0.5, 0.3, 0.2]]))
    assert odds.sum(axis=1) == pytest.approx([1, 1])
    # Topic 3 is campaign 1's: 0.2 / 8 + 0.8 x e^3 / (e^3 + 7) = 0.6182.
    assert odds[0, 1] == pytest.approx(0.6182, abs=1e-4)
    assert odds[1] == pytest.approx(np.full(CAMPAIGNS, 1 / 8))


def test_logged_propensities_are_those_of_the_choice() -> None:
    """Inverse propensity weights of each campaign average to one."""
    rng = np.random.default_rng(1)
    people = plant_people(rng, 500, 30)
    chosen, chance = choose_campaign(rng, people, rng.integers(0, 500, 100_000))
    for campaign in range(CAMPAIGNS):
        weight = np.where(chosen == campaign, 1 / chance, 0)
        assert weight.mean() == pytest.approx(1, abs=0.04)


@pytest.mark.parametrize(("events", "days"), [(1_000, 1), (200_000, 90), (3_000_000, 5)])
def test_bots_come_once_a_day_and_stay_in_their_budget(events: int, days: int) -> None:
    bots = plant_bots(np.random.default_rng(1), 100, events, days)
    visits = list(zip(bots.user.tolist(), bots.day.tolist(), strict=True))
    assert len(set(visits)) == len(visits)
    assert bots.user.min() == 100
    assert 0 <= bots.day.min() <= bots.day.max() < days
    assert bots.length.min() >= 240
    assert bots.length.sum() <= max(240, events * 0.03)


def test_a_bot_looks_at_more_than_60_items_within_a_minute() -> None:
    rng = np.random.default_rng(1)
    catalogue = plant_items(rng, 500, 10)
    bots = plant_bots(rng, 0, 8_000, 10)
    assert len(bots.length) == 1
    rows = bots.rows(rng, catalogue, CLOCK, int(bots.platform[0]), int(bots.day[0]))
    assert len(rows) == bots.length[0]
    assert np.bincount((rows.time - rows.time.min()) // 60_000).max() > 100
    again = {}
    for item, kind, time in zip(rows.item, rows.kind, rows.time, strict=True):
        assert time - again.get((item, kind), -(10**9)) > 2_000
        again[item, kind] = time


def test_broken_lines() -> None:
    csv = b"a,b,c,d\n1,2,3,4\n5,6,7,8\n"
    fate = np.array([Fate.CLEAN, Fate.SHIFTED_COLUMNS, Fate.BROKEN_LINE])
    assert break_lines(csv, fate, csv=True) == b"a,b,c,d\n2,3,4,\n5,6\n"
    assert break_lines(b'{"a":"bcde"}\n', fate[2:], csv=False) == b'{"a":"b\n'


def test_copies_follow_their_row_and_only_the_web_shop_has_near_ones() -> None:
    number = 50_000
    user, time = np.arange(number), np.arange(number) * 10_000
    for platform, near in ((0, True), (1, False)):
        rows = Rows.of(user, time, Kind.VIEW, item=1)
        landed = plant_defects(np.random.default_rng(1), rows, platform)
        copies = np.flatnonzero(landed.fate == Fate.EXACT_DUPLICATE)
        assert (landed.user[copies] == landed.user[copies - 1]).all()
        assert (landed.time[copies] == landed.time[copies - 1]).all()
        assert 200 < len(copies) < 400
        close = np.flatnonzero(landed.fate == Fate.NEAR_DUPLICATE)
        assert (len(close) > 100) == near
        gap = landed.time[close] - landed.time[close - 1]
        assert ((gap > 0) & (gap < 2_000)).all()
        assert (np.diff(landed.time) >= 0).all()


def test_user_ids_do_not_collide() -> None:
    for platform in (0, 1):
        ids = user_ids(platform, 100_000)
        assert ids.n_unique() == 100_000
