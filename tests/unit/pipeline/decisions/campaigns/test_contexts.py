"""What a policy may know of a user when an impression was shown, and no more."""

from datetime import UTC, datetime

import polars as pl
import pytest

from pipeline.decisions.campaigns.contexts import FEATURES, columns_of, logged_contexts
from pipeline.runtime.errors import CampaignError
from tests.unit.pipeline.decisions.campaigns.campaign_home import put, user
from tests.unit.pipeline.staged_factory import SOUND

P_CLICK = FEATURES.index("p_click_7d")
KNOWN = FEATURES.index("is_known")


@pytest.fixture
def growing(home):
    """User 1 is a cold start on the 14th and 15th, no more on the 16th.

    The 15th was scored by a model that was trained for the 20th.
    """
    days = {
        f"2024-03-{day}": [
            {
                **SOUND["user_features"],
                "ds": f"2024-03-{day}",
                "user_id": user(1),
                "is_cold_start": day < 16,
                "model_ds": f"2024-03-{20 if day == 15 else day}",
                "p_click_7d": 0.5,
            }
        ]
        for day in (14, 15, 16)
    }
    put(home, "user_features", days)
    return home.model_copy(update={"serving_delay_hours": 0})


def known(home, *shown: str) -> tuple[list[str], list[float], list[float]]:
    """Segment, click chance and whether known, of impressions that all arrived on the 18th."""
    times = [datetime.fromisoformat(f"2024-03-{it}").replace(tzinfo=UTC) for it in shown]
    rows = pl.DataFrame({"ds": "2024-03-18", "user_id": user(1), "event_time": times})
    found = logged_contexts(rows, "is_cold_start", home)
    return (found.segments.tolist(), found.features[:, P_CLICK].tolist(), found.features[:, KNOWN].tolist())


def test_a_late_arrival_knows_what_was_known_when_it_was_shown(growing) -> None:
    segments, _, is_known = known(growing, "14T23:59", "15T00:00", "17T00:00")
    assert segments == ["unknown", "true", "false"]
    assert is_known == [0, 1, 1]


def test_a_day_is_known_once_it_is_over_where_the_log_is_from(growing) -> None:
    shop = growing.model_copy(update={"business_tz": "America/Los_Angeles"})  # UTC-7
    assert known(shop, "17T06:59", "17T07:00")[0] == ["true", "false"]


def test_a_day_is_known_once_it_served(growing) -> None:
    shop = growing.model_copy(update={"serving_delay_hours": 8})
    assert known(shop, "17T07:59", "17T08:00")[0] == ["true", "false"]


def test_a_later_model_tells_nothing_of_an_earlier_day(growing) -> None:
    assert known(growing, "15T12:00", "16T12:00", "17T12:00")[1] == [0.5, 0, 0.5]


@pytest.mark.parametrize("name", ["user_id", "ds", "last_ds", "colour"])
def test_a_segment_is_no_id_and_no_day(name: str) -> None:
    with pytest.raises(CampaignError, match=f"segment_by: expected one of .*segment.*'{name}'"):
        columns_of(name)
