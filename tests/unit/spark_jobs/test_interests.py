"""Short- and long-term interests, their distance, and how far a change is, by hand."""

import numpy as np
import pytest

from spark_jobs.interests.drift_stages import find_stages
from spark_jobs.interests.shares import find_interests, share_lists
from spark_jobs.interests.watch import NEVER, Changes
from tests.unit.spark_jobs.touched import DAY0, population, touches

TWO = population(0.75, 0.25)


def test_one_day_is_pulled_towards_what_all_users_like() -> None:
    found = find_interests(touches("b"), TWO, DAY0)
    # long: (0 + 1 * .75) / (1 + 1) and (1 + 1 * .25) / 2; short: (0 + 2 * .375) / (1 + 2), ...
    assert found.long.tolist() == [[0.375, 0.625]]
    assert found.short[0] == pytest.approx([0.25, 0.75])
    entropy = -(0.375 * np.log2(0.375) + 0.625 * np.log2(0.625))
    assert (found.entropy[0], found.score[0]) == (pytest.approx(entropy), 0)


def test_days_count_half_after_a_half_life() -> None:
    # 14 days ago a, today b: short-term 0.5 and 1 days; long-term 2 ** (-14 / 180) and 1
    found = find_interests(touches("a" + "." * 13 + "b"), TWO, DAY0 + 14)
    assert found.events_short.tolist() == [1.5]
    assert found.events_long[0] == pytest.approx(1 + 0.5 ** (14 / 180))
    assert found.long[0, 1] == pytest.approx(1.25 / (2 + 0.5 ** (14 / 180)))
    assert found.short[0, 1] == pytest.approx((1 + 2 * found.long[0, 1]) / 3.5)


def test_interests_fade_towards_the_long_term_in_silence() -> None:
    known = touches("a" * 30 + "b" * 5)
    now, later = (find_interests(known, TWO, DAY0 + day) for day in (35, 120))
    assert now.short[0, 1] - now.long[0, 1] > 0.09
    assert later.short[0, 1] - later.long[0, 1] < 0.02
    assert later.score[0] < now.score[0] / 5


def test_a_user_of_whom_nothing_is_known() -> None:
    found = find_interests(touches("", "a"), TWO, DAY0)
    assert (found.told.tolist(), found.entropy[0], found.score[0]) == ([False, True], 0, 0)
    assert share_lists(found.long, found.told, ["t0001", "t0002"])[0].to_list() == []


def test_distance_beyond_noise_by_hand() -> None:
    # Topics a and b on 0 and 180 days ago, all else equal: short-term weight of the old day
    # 2 ** (-180 / 14), long-term 1 / 2 against 1.
    found = find_interests(touches("a" + "." * 179 + "b"), population(0.5, 0.5), DAY0 + 180)
    old = 0.5 ** (180 / 14)
    short, long = np.array([old, 1]) / (1 + old), np.array([1, 2]) / 3
    distance = np.abs(short - long).sum() / 2
    q = (0.5 + 0.5) / 2.5  # long-term share of a; both topics vary alike
    variance = (short[0] - long[0]) ** 2 * ((1 - q) ** 2 + q**2)
    noise = np.sqrt(2 / np.pi * variance)
    trust = (1 + old) / (3 + old)
    assert found.score[0] == pytest.approx(trust * (distance - noise) / (1 - noise))


def test_score_tells_movers_from_others() -> None:
    steady, mover = "ab" * 40, "a" * 60 + "b" * 20
    found = find_interests(touches(steady, mover), population(0.5, 0.5), DAY0 + 80)
    assert found.score[0] == 0
    assert 0.2 < found.score[1] < 1


def test_lists_hold_the_largest_shares_in_order() -> None:
    shares = np.array([[0.2, 0.5, 0.3], [0.25, 0.5, 0.25]])
    first, second = share_lists(shares, np.array([True, True]), ["t0001", "t0002", "t0003"])
    assert [row["topic_id"] for row in first] == ["t0002", "t0003", "t0001"]
    assert [row["topic_id"] for row in second] == ["t0002", "t0001", "t0003"]
    assert [row["share"] for row in first] == pytest.approx([0.5, 0.3, 0.2])


def test_long_lists_are_cut_and_sum_to_one() -> None:
    topics = [f"t{n:04d}" for n in range(25)]
    (row,) = share_lists(np.full((1, 25), 1 / 25), np.array([True]), topics)
    assert [entry["topic_id"] for entry in row] == topics[:20]
    assert sum(entry["share"] for entry in row) == pytest.approx(1)


def stage(days: str, since: int, found: int, target: str, today: int) -> str:
    """The stage of a user with a change to `target`, on a day counted from the first."""
    changes = Changes.none(1)
    changes.since[:], changes.found[:] = DAY0 + since, DAY0 + found
    changes.source[:], changes.target[:] = 0, ord(target) - ord("a")
    return str(find_stages(changes, touches(days), DAY0 + today)[0])


@pytest.mark.parametrize(
    ("days", "since", "found", "target", "today", "expected"),
    [
        ("a" * 40 + "b" * 20, 40, 45, "b", 60, "shifting"),
        ("a" * 40 + "b" * 20, 40, 45, "b", 72, "shifting"),
        ("a" * 40 + "b" * 20, 40, 45, "b", 73, "shifted"),
        ("a" * 40 + "b" * 20, 40, 45, "b", 134, "shifted"),
        ("a" * 40 + "b" * 20, 40, 45, "b", 135, "stable"),
        # c was there, went away for 30 days, and is back
        ("c" * 20 + "a" * 30 + "c" * 10, 50, 53, "c", 60, "reviving"),
        ("c" * 20 + "a" * 15 + "c" * 10, 35, 38, "c", 45, "shifting"),
        # c was there for five weeks and away for half a year: of all days before, a seventh
        ("c" * 35 + "a" * 200 + "c" * 10, 235, 238, "c", 245, "reviving"),
        # c on one day of those before is no interest
        ("c" + "......." * 10 + "a" * 10 + "c" * 10, 81, 84, "c", 91, "shifting"),
        # b every other day before as after: a went away and nothing came
        ("ab" * 20 + ".b" * 10, 40, 50, "b", 60, "fading"),
    ],
)
def test_stages(days: str, since: int, found: int, target: str, today: int, expected: str) -> None:
    assert stage(days, since, found, target, today) == expected


def test_a_user_without_a_change_is_stable() -> None:
    changes = Changes.none(1)
    assert changes.found.tolist() == [NEVER]
    assert find_stages(changes, touches("ab"), DAY0 + 1).tolist() == ["stable"]
