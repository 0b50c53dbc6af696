"""A campaign's night as a whole: who takes over, who is served, what stays in place."""

import pytest

from pipeline.airflow import waits
from pipeline.decisions.campaigns.build import build
from pipeline.runtime.days import shift
from pipeline.runtime.errors import CampaignError, NotPublishedError
from pipeline.storage.reading import published
from tests.unit.pipeline.decisions.campaigns.campaign_home import (
    FILE,
    LAST,
    ad,
    chances,
    decided,
    declare,
    put,
    put_ads,
    put_users,
    user,
)
from tests.unit.pipeline.staged_factory import SOUND

ALONE = FILE.replace('[challenger]\npolicy = "epsilon_greedy"\n', "")
BETTER = {"red": 0.1, "blue": 0.7}
ALIKE = {"red": 0.3, "blue": 0.3}


def test_a_challenger_that_is_better_for_sure_takes_over(home) -> None:
    put_users(home)
    put_ads(home, BETTER)
    declare(home)
    judgement, rows = decided(home)
    assert judgement["decision"] == "replaced"
    assert judgement["policy"] == judgement["challenger"] == "epsilon_greedy"
    assert judgement["gain_low"] > 0
    assert judgement["gain"] == pytest.approx(0.45 * 0.7 - 0.45 * 0.1, abs=0.05)
    assert judgement["impressions"] == 9 * 120 + 1  # the last day is too young but for midnight
    assert judgement["pending"] == 119
    assert len(rows) == judgement["users"] == 6
    # epsilon 0.1: .05 and .95; the floor of 0.01 is part of every arm
    assert chances(rows[user(1)]) == {"red": 0.059, "blue": 0.941}
    assert rows[user(1)]["policy"] == "epsilon_greedy"


def test_a_short_memory_is_judged_as_it_would_have_been_then(home) -> None:
    """Three days of memory, judged on four days: the three days before those count."""
    put_users(home)
    put_ads(home, BETTER)
    declare(home, FILE.replace('"epsilon_greedy"', '"epsilon_greedy"\nwindow_days = 3'))
    judgement, _ = decided(home)
    assert judgement["decision"] == "replaced"


def test_a_challenger_that_is_no_better_does_not(home) -> None:
    put_users(home)
    put_ads(home, ALIKE)
    declare(home)
    judgement, rows = decided(home)
    assert (judgement["decision"], judgement["policy"]) == ("kept", "uniform")
    assert "not above zero for sure" in judgement["reason"]
    assert judgement["gain_low"] <= 0
    assert chances(rows[user(1)]) == {"red": 0.5, "blue": 0.5}


def test_a_log_of_few_users_tells_no_gain(home) -> None:
    put_users(home)
    put_ads(home, BETTER, a_day=20)
    declare(home)
    judgement, _ = decided(home)
    assert (judgement["decision"], judgement["policy"]) == ("kept", "uniform")
    assert "are of 20 clusters (user_id): with fewer than 30" in judgement["reason"]
    assert {judgement[name] for name in ("gain", "gain_low", "gain_high")} == {None}
    assert judgement["effective_impressions"] > 0


def test_nothing_logged_yet_is_uniform_and_says_so(home) -> None:
    put_users(home)
    declare(home)
    judgement, rows = decided(home)
    assert (judgement["decision"], judgement["impressions"]) == ("kept", 0)
    assert "0 impressions of the last 4 days" in judgement["reason"]
    assert chances(rows[user(0)]) == {"red": 0.5, "blue": 0.5}


def test_an_experiment_gives_its_share_the_challenger(home) -> None:
    put_users(home, users=60)
    put_ads(home, ALIKE)
    declare(home, FILE + "[experiment]\nshare = 0.25\n")
    judgement, rows = decided(home)
    assert judgement["decision"] == "experiment"
    tried = [row for row in rows.values() if row["variant"] == "challenger"]
    assert 5 <= len(tried) <= 25
    assert {row["policy"] for row in tried} == {"epsilon_greedy"}
    assert {row["policy"] for row in rows.values() if row not in tried} == {"uniform"}


def test_bad_propensities_leave_the_policy_in_place(home) -> None:
    put_users(home, (shift(LAST, -1), LAST))
    put_ads(home, BETTER)
    declare(home)
    _, before = decided(home, shift(LAST, -1), "r0")
    day, dead = shift(LAST, -2), {"red": 0.0, "blue": 0.0}
    bad = [
        {**row, "event_id": f"bad{number}", "propensity": 0.0} for number in range(200) for row in ad(day, number, dead)
    ]
    put(home, "events", {day: bad}, run="bad")
    judgement, rows = decided(home)
    assert judgement["decision"] == "refused"
    assert "0 or above 1: 200 rows such as event bad" in judgement["reason"]
    assert judgement["policy"] == "epsilon_greedy"
    assert {name: chances(row) for name, row in rows.items()} == {name: chances(row) for name, row in before.items()}


def test_bad_feedback_of_a_first_night_does_not_replace_the_declared_champion(home) -> None:
    put_users(home, (shift(LAST, -1), LAST))
    put_ads(home, BETTER)
    day = shift(LAST, -2)
    dead = {"red": 0.0, "blue": 0.0}
    bad = [{**ad(day, number, dead)[0], "propensity": 0.0} for number in range(200)]
    put(home, "events", {day: bad}, run="bad")
    declare(home, ALONE.replace('"uniform"', '"thompson_beta"'))
    judgement, rows = decided(home, shift(LAST, -1), "r0")
    assert judgement["decision"] == "refused"
    assert judgement["policy"] == "uniform, until feedback is sound"
    assert chances(rows[user(1)]) == {"red": 0.5, "blue": 0.5}
    put_ads(home, BETTER, run="mended")
    judgement, rows = decided(home)
    assert judgement["policy"] == "thompson_beta"
    assert chances(rows[user(1)])["blue"] == 0.99


def test_a_typo_ends_the_job_and_nothing_is_staged(home) -> None:
    put_users(home)
    declare(home, FILE.replace("judge_days", "juge_days"))
    with pytest.raises(CampaignError, match=r"spring.toml: feedback.juge_days: expected no such"):
        build(home, LAST, "r1")
    assert not published("ad_policy", home)
    declare(home, 'segment_by = "colour"\n' + FILE)
    with pytest.raises(CampaignError, match=r"spring.toml: segment_by: expected one of .*segment.*'colour'"):
        build(home, LAST, "r1")


def test_an_arm_that_vanished_from_the_file_is_named(home) -> None:
    put_users(home, (shift(LAST, -1), LAST))
    declare(home, FILE + "[arms.green]\n")
    decided(home, shift(LAST, -1), "r0")
    declare(home)
    with pytest.raises(CampaignError, match=r"arms.green: .*vanished; keep it with `retired"):
        build(home, LAST, "r1")
    declare(home, FILE + "[arms.green]\nretired = true\n")
    _, rows = decided(home)
    assert chances(rows[user(0)]) == {"red": 0.5, "blue": 0.5}


def test_a_file_that_names_another_policy_repeats_what_is_published(home) -> None:
    put_users(home, (shift(LAST, -1), LAST))
    put_ads(home, BETTER)
    declare(home)
    _, before = decided(home, shift(LAST, -1), "r0")
    declare(home, FILE.replace('"epsilon_greedy"', '"uniform"'))
    judgement, rows = decided(home)
    assert (judgement["decision"], judgement["policy"]) == ("kept", "champion")
    assert chances(rows[user(3)]) == chances(before[user(3)])
    declare(home, ALONE)
    judgement, rows = decided(home, run="r2")
    assert judgement["decision"] == "unchallenged"
    assert judgement["reason"].endswith("uniform is not in place, so it should be declared as one")
    assert chances(rows[user(3)]) == chances(before[user(3)])


def test_consent_exclusion_caps_and_budget(home) -> None:
    put_users(home)
    put_ads(home, ALIKE)
    folder = home.home / "campaigns"
    limits = "[caps]\nper_day = 2\nper_week = 7\n[budget]\ndaily_impressions = 15\n"
    declare(home, FILE.replace('"everyone"', '"yes.csv"') + limits)
    (folder / "yes.csv").write_text("\n".join(user(number) for number in (0, 1, 2)))
    (folder / "never.csv").write_text(user(2))
    judgement, rows = decided(home)
    assert set(rows) == {user(0), user(1)}
    assert (judgement["users"], judgement["excluded_users"]) == (2, 4)
    # user 0 has seen one a day: 6 in the six days before tomorrow's
    assert (rows[user(0)]["impressions_left"], rows[user(1)]["impressions_left"]) == (1, 2)
    assert rows[user(0)]["show_probability"] == pytest.approx(15 / 120)


def test_segments_learn_apart_from_what_was_known_before_the_impression(home) -> None:
    put_users(home, tuple(shift(LAST, -back) for back in range(11)))
    put_ads(home, BETTER)
    declare(home, 'segment_by = "is_cold_start"\n' + FILE)
    judgement, rows = decided(home)
    assert rows[user(1)]["segment"] == "true"
    # of user 0, no cold start, the log has blue impressions only, and arms never shown come first
    assert chances(rows[user(0)])["red"] > 0.9
    # no cold start was ever shown anything: the feedback of all decides
    assert chances(rows[user(1)]) == {"red": 0.059, "blue": 0.941}
    assert judgement["users"] == 6


def test_without_campaigns_the_day_is_empty_and_without_features_it_fails(home) -> None:
    with pytest.raises(NotPublishedError, match="user_features"):
        build(home, LAST, "r1")
    put_users(home)
    build(home, LAST, "r1")


@pytest.mark.parametrize(("total", "show"), [(10 * 120, 0.0), (10 * 120 + 30, 0.25), (9_999, 1.0)])
def test_a_budget_in_total_ends(home, total, show) -> None:
    put_users(home)
    put_ads(home, ALIKE)
    budget = f"[budget]\ntotal_impressions = {total}\nfirst_day = {shift(LAST, -9)}\n"
    declare(home, FILE + budget)
    _, rows = decided(home)
    assert {row["show_probability"] for row in rows.values()} == {show}


def test_a_budget_counts_the_occasions_that_it_let_pass(home) -> None:
    """On a day that used half of its occasions, 120 impressions tell of 240."""
    put_users(home, (shift(LAST, -1), LAST))
    put_ads(home, ALIKE)
    declare(home, FILE + "[budget]\ndaily_impressions = 60\n")
    _, rows = decided(home, shift(LAST, -1), "r0")
    assert {row["show_probability"] for row in rows.values()} == {0.5}
    _, rows = decided(home)
    (shown,) = {row["show_probability"] for row in rows.values()}
    assert shown == pytest.approx(60 / ((6 * 120 + 240) / 7))


def test_an_audience_is_the_members_of_its_segments(home) -> None:
    put_users(home)
    declare(home, 'audience = ["loyal"]\n' + FILE)
    assert waits.segments(home, LAST) == [f"segment_members ds={LAST} is not published; spring show to segments of it"]
    members = [("loyal", 1), ("loyal", 4), ("others", 2)]
    rows = [{"ds": LAST, "segment": name, "user_id": user(it)} for name, it in members]
    put(home, "segment_members", {LAST: rows})
    assert waits.segments(home, LAST) == []
    _, served = decided(home)
    assert set(served) == {user(1), user(4)}
    declare(home, 'audience = ["loyl"]\n' + FILE)
    with pytest.raises(CampaignError, match=r"audience: .*\(loyal, others\), found 'loyl'"):
        build(home, LAST, "r2")


def test_an_audience_is_the_best_tenths_by_the_uplift_of_the_night_before(home) -> None:
    put_users(home)
    declare(home, 'audience = ["uplift:experiment:banner:top2"]\n' + FILE)
    assert waits.segments(home, LAST) == []
    with pytest.raises(CampaignError, match="audience: expected a trial whose users were scored"):
        build(home, LAST, "r0")
    sound = SOUND["user_uplift"]
    days = {
        day: [{**sound, "ds": day, "user_id": user(number), "decile": number + first} for number in range(4)]
        for day, first in ((shift(LAST, -1), 1), (LAST, 5))
    }
    put(home, "user_uplift", days)
    _, served = decided(home)
    assert set(served) == {user(0), user(1)}
    declare(home, 'audience = ["uplift:experiment:other:top2"]\n' + FILE)
    with pytest.raises(CampaignError, match=f"'experiment:other', of which {shift(LAST, -1)} has"):
        build(home, LAST, "r2")
