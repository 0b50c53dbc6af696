"""Impressions and what they earned, and the rows that are refused by name."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from pipeline.decisions.bandits.specification import Policy
from pipeline.decisions.campaigns.campaign import ANYWHERE, Arm, Campaign, Reward
from pipeline.decisions.campaigns.feedback import EMPTY, Feedback, log_end, match, refuse_if_bad
from pipeline.runtime.errors import FeedbackError

ENDED = datetime(2024, 3, 6, tzinfo=UTC)


def campaign(**changes: object) -> Campaign:
    usual: dict[str, object] = {
        "name": "spring",
        "file": Path("spring.toml"),
        "arms": (Arm("red", "r"), Arm("blue", "b")),
        "reward": Reward(),
        "champion": Policy("uniform"),
        "challenger": None,
        "consent": "everyone",
        "exclude": (),
        "exploration_floor": 0.01,
        "positions": ANYWHERE,
    }
    return Campaign(**{**usual, **changes})  # type: ignore[arg-type]


def event(name: str, kind: str, when: str, user: str = "u", arm: str = "r", **more: object):
    """`when` is `day hour:minute` of March 2024; the row arrives on that day."""
    day, clock = when.split()
    time = datetime.fromisoformat(f"2024-03-{day}T{clock}").replace(tzinfo=UTC)
    return {
        "ds": f"2024-03-{day}",
        "event_id": name,
        "user_id": user,
        "event_type": kind,
        "event_time": time,
        "campaign_id": arm,
        "propensity": 0.5 if kind == "impression" else None,
        **more,
    }


def matched(*events: dict, **changes: object) -> Feedback:
    return match(pl.DataFrame(list(events), schema=EMPTY), campaign(**changes), ENDED)


FIRST = event("i0", "impression", "01 00:00", user="nobody")  # so that the window begins earlier


def rewards(found: Feedback) -> dict[str, float]:
    return dict(found.rows.select("event_id", "reward").iter_rows())


def test_a_conversion_answers_the_newest_impression_before_it() -> None:
    found = matched(
        FIRST,
        event("i1", "impression", "03 10:00"),
        event("i2", "impression", "03 12:00"),
        event("c1", "view", "03 12:00"),
        event("i3", "impression", "03 13:00", arm="b"),
    )
    assert rewards(found) == {"i0": 0, "i1": 0, "i2": 1, "i3": 0}
    assert found.rows["arm"].to_list() == [0, 0, 0, 1]
    assert not found.refused


def test_a_late_conversion_earns_nothing_and_young_impressions_wait() -> None:
    found = matched(
        FIRST,
        event("i1", "impression", "03 10:00"),
        event("c1", "view", "04 10:01"),
        event("i2", "impression", "05 00:01"),
        event("c2", "view", "05 00:02"),
    )
    assert rewards(found) == {"i0": 0, "i1": 0}
    assert found.pending == 1
    assert len(found.seen) == 3
    assert not found.refused


def test_bad_rows_are_refused_by_name() -> None:
    found = matched(
        FIRST,
        event("p0", "impression", "02 10:00", propensity=0.0),
        event("p1", "impression", "02 10:00", propensity=1.5),
        event("p2", "impression", "02 10:00", propensity=None),
        event("fast", "impression", "04 12:00", ds="2024-03-02"),
        event("c0", "view", "03 10:00"),
        event("c1", "view", "03 10:00", user="stranger"),
        event("i1", "impression", "03 11:00", user="twice"),
        event("c2", "view", "03 11:01", user="twice"),
        event("c3", "view", "03 11:02", user="twice"),
    )
    assert found.refused == {
        "propensity": ["p0", "p1", "p2"],
        "clock": ["fast"],
        "early": ["c1"],
        "duplicate": ["c3"],
    }
    assert rewards(found) == {"i0": 0, "i1": 1}
    with pytest.raises(FeedbackError, match=r"campaign spring: .* 6: .*such as event c1"):
        refuse_if_bad(campaign(), found)
    refuse_if_bad(campaign(most_refused=0.9), found)


def test_a_conversion_may_answer_what_was_shown_before_the_days_that_are_read() -> None:
    found = matched(event("i1", "impression", "03 10:00"), event("c1", "view", "03 15:00", user="x"))
    assert not found.refused


def test_the_first_days_that_are_read_earn_as_the_others() -> None:
    found = matched(
        event("i1", "impression", "02 10:00"),
        event("c1", "view", "02 10:01"),
        event("i2", "impression", "02 11:00", user="x"),
        event("c2", "view", "03 09:59", user="y"),
        event("c3", "view", "03 10:01", user="y"),
    )
    assert rewards(found) == {"i1": 1, "i2": 0}
    assert found.refused == {"early": ["c3"]}


def test_refused_impressions_were_seen_all_the_same() -> None:
    """Frequency caps count what was shown, however it was logged."""
    found = matched(
        event("i1", "impression", "02 10:00", propensity=None),
        event("i2", "impression", "04 12:00", ds="2024-03-02"),
        event("i3", "impression", "02 10:00"),
    )
    assert found.seen.rows() == [("2024-03-02", "u")] * 3
    assert (found.logged, found.refusals, found.pending) == (3, 2, 0)


def test_the_log_ends_where_its_day_ends_first(home) -> None:
    assert log_end(home, "2024-03-05") == ENDED
    tokyo = home.model_copy(update={"business_tz": "Asia/Tokyo"})
    assert log_end(tokyo, "2024-03-05") == ENDED - timedelta(hours=9)


def test_revenue_and_places() -> None:
    found = matched(
        FIRST,
        event("i1", "impression", "03 10:00", position="foot"),
        event("c1", "purchase", "03 10:05", price=4.0, quantity=3.0),
        reward=Reward("purchase", "revenue", 24),
        positions=(("top", 1.0), ("foot", 0.25)),
    )
    assert rewards(found) == {"i0": 0, "i1": 12}
    assert found.rows["examined"].to_list() == [1.0, 0.25]


def test_an_order_of_several_items_answers_once_with_all_of_them() -> None:
    """Only the same item again is a second conversion."""

    def bought(name: str, item: str, clock: str) -> dict:
        return event(name, "purchase", f"03 {clock}", item_id=item, price=4.0, quantity=2.0)

    order = (bought("c1", "mug", "10:05"), bought("c2", "pot", "10:05"))
    shown = (FIRST, event("i1", "impression", "03 10:00"))
    again = bought("c3", "mug", "10:06")
    found = matched(*shown, *order, again, reward=Reward("purchase", "revenue", 24))
    assert rewards(found) == {"i0": 0, "i1": 16}
    assert found.refused == {"duplicate": ["c3"]}
    assert rewards(matched(*shown, *order, reward=Reward("purchase"))) == {"i0": 0, "i1": 1}


def test_no_events_is_no_feedback() -> None:
    found = match(pl.DataFrame(schema=EMPTY), campaign(), ENDED)
    assert (len(found.rows), found.pending, found.refused) == (0, 0, {})
