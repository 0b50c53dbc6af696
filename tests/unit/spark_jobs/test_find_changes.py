"""Changes of interest: evidence by hand, what is found, and how seldom by chance."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_jobs.interests.calibrate import calibrate, shuffle_days
from spark_jobs.interests.touches import Touches
from spark_jobs.interests.watch import NEVER, find_changes
from tests.unit.spark_jobs.touched import DAY0, population, touches

FOUR = population(0.25, 0.25, 0.25, 0.25)
ALIKE = population(*[1 / 26] * 26, concentration=8)


def until(known: Touches, day: int) -> Touches:
    rows = known.day < DAY0 + day
    columns = (known.user, known.day, known.topic, known.part, known.events)
    return Touches(known.users, *(column[rows] for column in columns))


def test_evidence_of_two_days_by_hand() -> None:
    # Two topics, half each; day 0 topic a, day 365 topic b. The null model foretells b with
    # 0.9 * (0 + 1 * 0.5) / (1 + 1) + 0.1 * 0 = 0.225. A change to b: 0.6 + 0.4 / 0.225 = 2.378
    # times as likely; to a: 0.6 times. A year passed: evidence 0.5 * 2.378 + 0.5 * 0.6 = 1.4889.
    # 4 + (2 / 7.5) ^ 2 = 4.0711 would be 0.05: p = 0.05 * 4.0711 / 1.4889.
    found = find_changes(touches("a" + "." * 364 + "b"), population(0.5, 0.5))
    assert found.found.tolist() == [NEVER]
    assert found.p_now[0] == pytest.approx(0.05 * 4.07111 / 1.48889, rel=1e-4)


def test_a_move_is_found_with_its_topics_and_its_beginning() -> None:
    known = touches("aabaaabaaacaaabaaaba" * 2 + "d" * 8)
    found = find_changes(known, FOUR)
    assert (found.source[0], found.target[0]) == (0, 3)
    assert found.since[0] == DAY0 + 40
    assert DAY0 + 41 < found.found[0] <= DAY0 + 45
    assert found.p_value[0] <= 0.05


def test_a_second_move_replaces_the_first() -> None:
    known = touches("a" * 40 + "b" * 40 + "c" * 20)
    assert find_changes(until(known, 80), FOUR).target.tolist() == [1]
    found = find_changes(known, FOUR)
    assert (found.source[0], found.target[0], found.since[0] - DAY0) == (1, 2, 80)


@pytest.mark.parametrize(
    "days",
    ["", "a", "ab", "abcd", "a" * 300, "ab" * 100, "aaab" * 60, "abcd" * 60, "." * 50 + "b"],
)
def test_steady_and_new_users_do_not_drift(days: str) -> None:
    found = find_changes(touches(days), FOUR)
    assert found.found.tolist() == [NEVER]


def test_users_do_not_touch_each_other() -> None:
    mover, settled = "a" * 40 + "b" * 10, "a" * 50
    alone, both = (find_changes(touches(*users), FOUR) for users in ([mover], ["", settled, mover]))
    assert both.found.tolist() == [NEVER, NEVER, alone.found[0]]
    assert both.p_value[2] == alone.p_value[0]


def test_no_topics_and_no_users() -> None:
    for known in (touches(""), touches()):
        assert find_changes(known, population()).found.tolist() == [NEVER] * known.users


@given(st.lists(st.text("ab.c", max_size=60), max_size=4), st.integers(1, 60))
@settings(max_examples=60, deadline=None)
def test_the_path_is_append_only(users: list[str], night: int) -> None:
    """What was found by a night is found again on every later one, unless a newer change is."""
    early, late = (find_changes(until(touches(*users), day), FOUR) for day in (night, 60))
    for user in range(len(users)):
        if early.found[user] != NEVER and late.found[user] < DAY0 + night:
            assert late.found[user] == early.found[user]
            assert late.since[user] == early.since[user]
            assert late.source[user] == early.source[user]
            assert late.p_value[user] == early.p_value[user]
        if early.found[user] == NEVER:
            assert late.found[user] == NEVER or late.found[user] >= DAY0 + night


def test_topics_to_come_tell_nothing_yet() -> None:
    """Found on the same evidence, whatever else the user turns to afterwards."""
    moved = "a" * 20 + "b" * 10
    now, later = (find_changes(touches(moved + rest), FOUR) for rest in ("", "cdcd"))
    assert (now.found[0], now.p_value[0]) == (later.found[0], later.p_value[0])
    assert now.found[0] != NEVER


def test_what_was_found_is_no_evidence_of_another_change() -> None:
    """Silent for good on the night of the alarm: stable 90 days later, and so is the p-value."""
    moved = touches("a" * 40 + "b" * 10)
    alarm = int(find_changes(moved, FOUR).found[0]) - DAY0
    found = find_changes(until(moved, alarm + 1), FOUR)
    assert found.found[0] == DAY0 + alarm
    assert (found.p_value[0] <= 0.05, found.p_now[0]) == (True, 1)


def test_one_topic_is_no_change_even_where_nobody_else_likes_it() -> None:
    """The null model foretells it one time in 31, and forty days in a row surprise it; that is no
    change to it on the day on which another topic comes either."""
    all_alike = population(*[1 / 31] * 31, concentration=32)
    found = find_changes(touches("a" * 40, "a" * 40 + "b", "b" + "a" * 40), all_alike)
    assert (found.p_now[0], found.p_value[1] == 1, found.p_now[1] > 0.5) == (1, True, True)
    assert (found.source[2], found.target[2]) == (1, 0)


def test_a_change_back_to_the_first_topic_has_days_before_it() -> None:
    """The first day is a's too, and b is gone: the change to a began after b, not with day one."""
    quiet = "." * 300
    found = find_changes(touches(quiet.join(["a", "bbb", *"aaaaaaaaaaa"])), ALIKE)
    assert (found.source[0], found.target[0]) == (1, 0)
    assert found.since[0] > DAY0 + 303


def drawn(users: int, days: int, seed: int) -> Touches:
    """Users with tastes from the null model's prior over four topics, one visit a week."""
    random = np.random.default_rng(seed)
    tastes = random.dirichlet(np.full(4, 0.25), users)
    rows = []
    for taste in tastes:
        topics = random.choice(4, days, p=taste)
        rows.append("......".join("abcd"[topic] for topic in topics))
    return touches(*rows)


def test_chance_alone_is_seldom_taken_for_a_change() -> None:
    """52 weekly visits of users like the null model's: alarms within a year at most in 5%."""
    found = find_changes(drawn(600, 52, seed=1), FOUR)
    assert (found.found != NEVER).mean() <= 0.05


def test_shuffling_keeps_what_each_user_did() -> None:
    known = touches("aab.c", "", "dddda", "b")
    dealt = shuffle_days(known, seed=3)
    for user in range(4):
        was, now = known.user == user, dealt.user == user
        assert sorted(known.topic[was]) == sorted(dealt.topic[now])
        assert sorted(known.day[was]) == sorted(dealt.day[now])
    assert not np.array_equal(known.topic, dealt.topic)


def test_users_who_give_many_alarms_by_chance_need_more_evidence() -> None:
    """Users with three equal topics of many, unlike the prior that is claimed for them."""
    random = np.random.default_rng(5)
    letters = "abcdefghijklmnopqrstuvwxyz"
    users = ["..".join(random.choice(random.choice(list(letters), 3, replace=False), 100)) for _ in range(200)]
    many = replace(population(*[1 / 26] * 26), concentration=0.25)
    assert calibrate(touches(*users), many).caution > 1
    assert calibrate(drawn(600, 52, seed=2), FOUR).caution == 1
