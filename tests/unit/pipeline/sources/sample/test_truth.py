"""What was planted can be found again in the files, to the row, and the accounts add up."""

from pathlib import Path

import polars as pl
import pytest

from tests.unit.pipeline.sources.sample.conftest import landed, truth

PARTS = [
    "events",
    "exact_duplicates",
    "near_duplicates",
    "malformed",
    "bots",
    "too_late",
    "in_future",
]
ZONES = {"webshop": "Europe/Berlin", "marketplace": "Europe/London"}
BROWSING = ["shown", "product_view", "site_search", "imp", "click", "query"]


def test_rows_landed_are_the_sum_of_their_parts(sample: Path) -> None:
    accounting = truth(sample, "accounting")
    assert accounting.filter(pl.sum_horizontal(PARTS) != pl.col("rows_landed")).height == 0
    for part in PARTS:
        assert accounting[part].sum() > 0, part


@pytest.mark.parametrize("platform", ["webshop", "marketplace"])
def test_the_files_hold_what_was_planted(sample: Path, platform: str) -> None:
    rows = landed(sample, platform)
    planted = truth(sample, "accounting").filter(pl.col("platform") == platform)
    lines = rows.group_by("ds").len().sort("ds")
    assert lines["len"].to_list() == planted.sort("ds")["rows_landed"].to_list()
    assert found(rows, platform) == {part: planted[part].sum() for part in PARTS}


def found(rows: pl.DataFrame, platform: str) -> dict[str, int]:
    """The same sums as in the truth, by the rules of the clean job, from the files alone."""
    valid = rows.drop_nulls("time").with_columns(
        lag=pl.col("ds").str.to_date() - pl.col("time").dt.convert_time_zone(ZONES[platform]).dt.date(),
        bot=(pl.len().over("user", "ds", pl.col("time").dt.truncate("1m")) > 60) & pl.col("kind").is_in(BROWSING),
    )
    valid = valid.with_columns(lag=pl.col("lag").dt.total_days(), bot=pl.col("bot").any().over("user", "ds"))
    timely = valid.filter(pl.col("lag").is_between(-1, 3))
    people = timely.filter(~pl.col("bot")).sort("time")
    once = people.unique(["user", "item", "kind", "time"], maintain_order=True)
    gap = pl.col("time").diff().over("user", "item", "kind").dt.total_milliseconds()
    near = once.filter(gap <= 2000).height if platform == "webshop" else 0
    return {
        "events": once.height - near,
        "exact_duplicates": people.height - once.height,
        "near_duplicates": near,
        "malformed": rows.height - valid.height,
        "bots": timely.height - people.height,
        "too_late": valid.filter(pl.col("lag") > 3).height,
        "in_future": valid.filter(pl.col("lag") < -1).height,
    }


@pytest.mark.parametrize("platform", ["webshop", "marketplace"])
def test_people_stay_far_from_the_bot_rule(sample: Path, platform: str) -> None:
    bots = truth(sample, "users").filter(pl.col("is_bot"))[f"{platform}_id"].drop_nulls()
    human = landed(sample, platform).drop_nulls("time").filter(~pl.col("user").is_in(bots.to_list()))
    minute = human.group_by("user", pl.col("time").dt.truncate("1m")).len()["len"].max()
    day = human.group_by("user", "ds").len()["len"].max()
    assert minute <= 20
    assert day <= 300


def test_planted_shifts_show_in_what_people_look_at(sample: Path) -> None:
    """Share of views on the old and on the new topic, before and well after an abrupt shift."""
    topic = truth(sample, "items").select("platform", "topic", item="raw_id")
    shifts = truth(sample, "shifts").filter(pl.col("kind") == "abrupt")
    shares = []
    for platform in ("webshop", "marketplace"):
        rows = landed(sample, platform).drop_nulls(["time", "item"])
        rows = rows.join(topic.filter(pl.col("platform") == platform), on="item")
        joined = rows.join(shifts, left_on="user", right_on=f"{platform}_id")
        shares.append(joined.select("ds", "topic", "from_topic", "to_topic", "start_ds"))
    seen = pl.concat(shares)
    after = seen.filter(pl.col("ds") >= pl.col("start_ds"))
    before = seen.filter(pl.col("ds") < pl.col("start_ds"))
    assert min(before.height, after.height) > 500
    assert share(before, "from_topic") > 0.5 > 0.3 > share(after, "from_topic")
    assert share(before, "to_topic") < 0.1 < 0.35 < share(after, "to_topic")


def share(rows: pl.DataFrame, column: str) -> float:
    return float((rows["topic"] == rows[column]).mean())  # type: ignore[arg-type]


def test_shifts_name_two_topics_and_all_kinds(sample: Path) -> None:
    shifts = truth(sample, "shifts")
    assert shifts.filter(pl.col("from_topic") == pl.col("to_topic")).height == 0
    assert set(shifts["kind"]) == {"abrupt", "gradual", "revival"}
    revival = shifts.filter(pl.col("kind") == "revival")
    assert revival.filter(pl.col("gone_ds") >= pl.col("start_ds")).height == 0
    assert revival["gone_ds"].null_count() == 0
    assert shifts["gone_ds"].null_count() == len(shifts) - len(revival)


def test_nobody_is_seen_before_joining_or_after_leaving(sample: Path) -> None:
    """Searches tell: they never follow from an earlier purchase. Visits may run past midnight."""
    users = truth(sample, "users").filter(~pl.col("is_bot"))
    rows = landed(sample, "webshop").drop_nulls("time").filter(pl.col("kind") == "site_search")
    seen = rows.join(users, left_on="user", right_on="webshop_id")
    assert seen.filter(pl.col("ds") < pl.col("joined_ds")).height == 0
    on_day = pl.col("ds").str.to_date() <= pl.col("churned_ds").str.to_date() + pl.duration(days=1)
    assert seen.filter(~on_day).height == 0
