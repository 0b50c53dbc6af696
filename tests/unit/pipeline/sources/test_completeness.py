"""When a day is complete, and the words for what it lacks: every rule, and every kind of bad delivery."""

from datetime import datetime
from pathlib import Path

import pytest

from pipeline.runtime.errors import LandingError, SourceError
from pipeline.runtime.settings import Settings
from pipeline.sources.completeness import File, Landed, Sighting, day_end, lacks, listed_sizes, seen
from pipeline.sources.landing import files, incomplete, landed_days
from pipeline.sources.source import Source, load_source
from tests.unit.pipeline.sources.test_landing import land

DAY = "2026-01-02"
TOML = """
platform = "shop"
timezone = "{timezone}"
{top}
[delivery]
path = "{path}"
format = "jsonl"
columns = ["who"]
{rule}
[event]
user_id = "who"
item_id = "who"
event_type = "who"
event_time = "who"
"""
HOURLY = "shop/{ds}/*.jsonl"


def source(folder: Path, rule: str = "", path: str = HOURLY, timezone: str = "UTC", top: str = "") -> Source:
    folder.mkdir(exist_ok=True)
    file = folder / "shop.toml"
    file.write_text(TOML.format(rule=rule, path=path, timezone=timezone, top=top))
    return load_source(file)


def at(clock: str, day: str = "2026-01-03") -> float:
    return datetime.fromisoformat(f"{day}T{clock}:00+00:00").timestamp()


def file(hour: str, size: int = 10, modified: float | None = None) -> File:
    when = at("00:00") if modified is None else modified
    return File(f"shop/{DAY}/{hour}.jsonl", size, int(when * 1e9))


def first_seen(*found: File, now: float) -> list[Sighting]:
    return [seen(it, None, now) for it in found]


def said(source: Source, found: list[Sighting], now: float, notice: str | None = None, due: bool = True) -> list[str]:
    return lacks(source, DAY, Landed(found, notice), due, now)


def test_a_day_of_which_nothing_landed(tmp_path: Path) -> None:
    shop = source(tmp_path)
    assert said(shop, [], at("09:00")) == [f"shop: no file matches landing/shop/{DAY}/*.jsonl"]
    assert said(shop, [], at("09:00"), due=False) == []


def test_the_default_waits_for_thirty_quiet_minutes_after_the_local_day(tmp_path: Path) -> None:
    shop = source(tmp_path, timezone="Europe/Berlin")  # its day ends at 23:00 UTC
    early = file("22", modified=at("20:00", DAY))
    found = first_seen(early, now=at("21:00", DAY))
    for clock in ("21:00", "22:59", "23:29"):
        assert said(shop, found, at(clock, DAY)) == [
            f"shop: {DAY} ends at 2026-01-02 23:00 UTC in Europe/Berlin; the day is complete when nothing has changed "
            "for 30 min, at 2026-01-02 23:30 UTC"
        ]
    assert said(shop, found, at("23:30", DAY)) == []


def test_a_file_that_lands_starts_the_quiet_time_again(tmp_path: Path) -> None:
    shop = source(tmp_path, "quiet_minutes = 90")
    found = first_seen(file("00"), file("22"), now=at("00:00"))
    late = seen(file("23", modified=at("01:00")), None, at("01:00"))
    assert said(shop, [*found, late], at("02:00")) == [
        f"shop: shop/{DAY}/23.jsonl last changed at 2026-01-03 01:00 UTC; the day is complete when nothing has changed "
        "for 90 min, at 2026-01-03 02:30 UTC"
    ]
    assert said(shop, [*found, late], at("02:30")) == []


@pytest.mark.parametrize("modified", ["2030-01-01", "2026-01-03"])
def test_quiet_counts_from_what_we_saw_not_from_the_file_s_clock(tmp_path: Path, modified: str) -> None:
    """A time in the future, and one that is fresh: both count from the first look."""
    shop = source(tmp_path)
    found = first_seen(file("23", modified=at("01:00", modified)), now=at("01:10"))
    assert said(shop, found, at("01:39")) and said(shop, found, at("01:40")) == []


def test_a_file_that_was_quiet_when_first_seen_needs_no_second_look(tmp_path: Path) -> None:
    shop = source(tmp_path)
    assert said(shop, first_seen(file("23", modified=at("01:00")), now=at("01:30")), at("01:30")) == []


def test_a_day_that_ended_long_ago_waits_for_nothing(tmp_path: Path) -> None:
    now = at("00:31", "2026-01-04")
    fresh = first_seen(file("00", modified=now), now=now)
    assert said(source(tmp_path), fresh, now) == []
    assert said(source(tmp_path, "files = 1"), fresh, now) == []
    # What the source promises still counts.
    assert said(source(tmp_path, "files = 2"), fresh, now) == [
        f"shop: expected 2 files that match landing/shop/{DAY}/*.jsonl, found 1"
    ]


def test_the_case_of_the_issue(tmp_path: Path) -> None:
    """Files 00 and 22 at midnight, 23 at one: incomplete until the third is there and has settled."""
    shop = source(tmp_path, "files = 3")
    midnight = first_seen(file("00"), file("22"), now=at("00:01"))
    assert said(shop, midnight, at("00:45")) == [
        f"shop: expected 3 files that match landing/shop/{DAY}/*.jsonl, found 2"
    ]
    third = seen(file("23", modified=at("01:00")), None, at("01:00"))
    assert "last changed at 2026-01-03 01:00 UTC" in said(shop, [*midnight, third], at("01:00"))[0]
    assert said(shop, [*midnight, third], at("01:01")) == []


def test_a_file_that_grows_between_two_looks(tmp_path: Path) -> None:
    shop = source(tmp_path, "files = 1")
    before = seen(file("23", 10), None, at("01:00"))
    grown = seen(file("23", 25, at("01:02")), before, at("01:02"))
    assert said(shop, [grown], at("01:02")) == [
        f"shop: shop/{DAY}/23.jsonl went from 10 to 25 bytes since the last look; the day is complete when nothing has "
        "changed for 1 min, at 2026-01-03 01:03 UTC"
    ]
    again = seen(file("23", 25, at("01:02")), grown, at("01:03"))
    assert again.size_before is None and said(shop, [again], at("01:03")) == []


def test_a_file_that_is_written_again_with_the_same_size(tmp_path: Path) -> None:
    before = seen(file("23"), None, at("01:00"))
    again = seen(file("23", modified=at("01:02")), before, at("01:02"))
    assert "was written again since the last look" in said(source(tmp_path), [again], at("01:02"))[0]


def test_a_clock_that_goes_back_starts_the_quiet_time_again(tmp_path: Path) -> None:
    shop = source(tmp_path)
    before = seen(file("23", modified=at("03:00")), None, at("03:00"))
    after = seen(file("23", modified=at("03:00")), before, at("01:00"))
    assert said(shop, [after], at("01:00")) == [
        "shop: the clock of this machine went back from 2026-01-03 03:00 UTC to 2026-01-03 01:00 UTC; the day is "
        "complete when nothing has changed for 30 min, at 2026-01-03 01:30 UTC"
    ]
    assert said(shop, [seen(file("23", modified=at("03:00")), after, at("01:30"))], at("01:30")) == []


def test_a_marker(tmp_path: Path) -> None:
    shop = source(tmp_path, 'complete = "_SUCCESS"')
    fresh = first_seen(file("23", modified=at("01:00")), now=at("01:00"))
    assert said(shop, fresh, at("01:00")) == [
        f"shop: 1 file landed without landing/shop/{DAY}/_SUCCESS, which says that the day is complete"
    ]
    assert said(shop, fresh, at("01:00"), notice="") == []


def test_a_marker_without_files(tmp_path: Path) -> None:
    shop = source(tmp_path, 'complete = "_SUCCESS"')
    assert said(shop, [], at("01:00"), notice="") == [
        f"shop: landing/shop/{DAY}/_SUCCESS says that the day is complete, and no file matches "
        f"landing/shop/{DAY}/*.jsonl; deliver the files"
    ]
    assert said(shop, [], at("01:00"), notice="", due=False) == []


def test_a_file_that_changes_after_its_marker(tmp_path: Path) -> None:
    shop = source(tmp_path, 'complete = "_SUCCESS"')
    before = seen(file("23"), None, at("01:00"))
    grown = seen(file("23", 25, at("01:02")), before, at("01:02"))
    assert "went from 10 to 25 bytes" in said(shop, [grown], at("01:02"), notice="")[0]
    assert said(shop, [grown], at("01:03"), notice="") == []


@pytest.mark.parametrize(
    ("listing", "lacking"),
    [
        ("name,size\n22.jsonl,10\n23.jsonl,10\n", ""),
        ('{"name": "22.jsonl", "size": 10}\n\n{"name": "23.jsonl", "size": 10}\n', ""),
        (
            "name,size\n21.jsonl,5\n22.jsonl,10\n23.jsonl,10\n",
            f"lists shop/{DAY}/21.jsonl (5 bytes), which has not landed",
        ),
        (
            "name,size\n22.jsonl,10\n23.jsonl,11\n",
            f"lists shop/{DAY}/23.jsonl with 11 bytes, found 10; deliver it again",
        ),
        ("name,size\n23.jsonl,10\n", f"does not list shop/{DAY}/22.jsonl; list or remove it"),
    ],
)
def test_a_listing_with_sizes(tmp_path: Path, listing: str, lacking: str) -> None:
    shop = source(tmp_path, 'complete = "manifest.csv"')
    found = first_seen(file("22"), file("23"), now=at("01:00"))
    expected = [f"shop: landing/shop/{DAY}/manifest.csv {lacking}"] if lacking else []
    assert said(shop, found, at("01:00"), listing) == expected


@pytest.mark.parametrize(
    ("listing", "message"),
    [
        ("22.jsonl,10\n", "m: line 1: expected the header name,size, found '22.jsonl,10'; deliver it again"),
        ("name,size\n22.jsonl\n", "m: line 2: expected a name and a size, found '22.jsonl'; deliver it again"),
        ("name,size\n\n22.jsonl,many\n", "m: line 3: expected a name and a size, found '22.jsonl,many'"),
        ("name,size\n22.jsonl,-1\n", "m: line 2: expected a name and a size in bytes, found '22.jsonl,-1'"),
        ('{"name": "a", "si', "m: line 1: expected a name and a size, found"),
        ('{"name": "a", "size": "5"}', "m: line 1: expected a name and a size in bytes"),
        ("name,size\na,1\na,2\n", "m: line 3: expected one size of a, 1 stands above, found 'a,2'"),
    ],
)
def test_a_listing_that_cannot_be_read_names_the_line(listing: str, message: str) -> None:
    with pytest.raises(LandingError) as caught:
        listed_sizes(listing, "m")
    assert str(caught.value).startswith(message)


def test_a_source_that_is_not_required_is_waited_for_only_so_long(tmp_path: Path) -> None:
    shop = source(tmp_path, top="required = false")
    assert said(shop, [], at("00:10")) == [
        f"shop: no file matches landing/shop/{DAY}/*.jsonl (not required: waited for until 2026-01-03 00:30 UTC)"
    ]
    assert said(shop, [], at("00:30")) == []
    half = first_seen(file("22", modified=at("00:29")), now=at("00:29"))
    assert said(source(tmp_path, 'complete = "_SUCCESS"', top="required = false"), half, at("00:30")) == []


@pytest.mark.parametrize(
    ("rule", "path", "message"),
    [
        ("files = 0", HOURLY, "delivery.files: expected a whole number from 1, found 0"),
        ("quiet_minutes = -1", HOURLY, "delivery.quiet_minutes: expected a number from 0, found -1"),
        ('complete = "*"', HOURLY, "delivery.complete: expected a file name without wildcards, found '*'"),
        ('complete = "../x"', HOURLY, "delivery.complete: expected a file name without wildcards"),
        (
            'files = 2\ncomplete = "x"',
            HOURLY,
            "delivery.complete: expected at most one of complete, files, quiet_minutes, found {'complete': 'x', 'f",
        ),
        (
            'complete = "_SUCCESS"',
            "shop/{ds}-*.jsonl",
            "delivery.complete: expected a path with {ds} below landing/, because shop/{ds}-*.jsonl gives a day no",
        ),
    ],
)
def test_a_rule_that_is_wrong_is_named(tmp_path: Path, rule: str, path: str, message: str) -> None:
    with pytest.raises(SourceError) as caught:
        source(tmp_path, rule, path)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("rule", "path", "notice", "lists"),
    [
        ('complete = "_SUCCESS"', HOURLY, f"shop/{DAY}/_SUCCESS", False),
        ('complete = "done/{ds}.ok"', "shop/{ds}-*.jsonl", f"done/{DAY}.ok", False),
        ('complete = "manifest"', "shop/day={ds}/*/x", f"shop/day={DAY}/manifest", True),
        ('complete = "_manifest.jsonl"', HOURLY, f"shop/{DAY}/_manifest.jsonl", True),
    ],
)
def test_where_the_notice_lands(tmp_path: Path, rule: str, path: str, notice: str, lists: bool) -> None:
    delivery = source(tmp_path, rule, path).delivery
    assert (delivery.notice(DAY), delivery.lists_sizes) == (notice, lists)


def test_a_day_ends_where_its_midnight_is_skipped(tmp_path: Path) -> None:
    """Cairo put its clocks forward at midnight: the day ended where the next one began, at 22:00 UTC."""
    shop = source(tmp_path, timezone="Africa/Cairo")
    assert day_end(shop, "2024-04-25") == at("22:00", "2024-04-25")


def test_a_home_remembers_what_it_saw(home: Settings) -> None:
    shop = source(home.sources, "files = 2")
    land(home, f"shop/{DAY}/00.jsonl")
    assert incomplete(home, [DAY], at("00:01")) == {
        DAY: [f"shop: expected 2 files that match landing/shop/{DAY}/*.jsonl, found 1"]
    }
    land(home, f"shop/{DAY}/01.jsonl")
    [lacking] = incomplete(home, [DAY], at("00:02"))[DAY]
    assert f"shop/{DAY}/01.jsonl last changed at 2026-01-03 00:02 UTC" in lacking
    assert incomplete(home, [DAY], at("00:03")) == {}
    (home.landing / f"shop/{DAY}/01.jsonl").write_text("who\nwhat\n")
    assert "01.jsonl went from 4 to 9 bytes" in incomplete(home, [DAY], at("00:04"))[DAY][0]
    assert incomplete(home, [DAY], at("00:05")) == {}
    assert shop.delivery.files == 2


def test_the_listing_is_no_data_though_the_path_matches_it(home: Settings) -> None:
    shop = source(home.sources, 'complete = "manifest.jsonl"')
    land(home, f"shop/{DAY}/manifest.jsonl", "shop/2026-01-03/manifest.jsonl", "shop/2026-01-03/00.jsonl")
    assert landed_days(home) == ["2026-01-03"]
    assert [path.name for path in files(home, shop, "2026-01-03")] == ["00.jsonl"]


def test_several_days_at_once_name_only_those_that_lack_something(home: Settings) -> None:
    source(home.sources)
    land(home, "shop/2026-01-01/00.jsonl", "shop/2026-01-03/00.jsonl")
    days = ["2025-12-31", "2026-01-01", "2026-01-02", "2026-01-03"]
    assert list(incomplete(home, days, at("09:00", "2026-02-01"))) == ["2026-01-02"]
    assert incomplete(home.model_copy(update={"allow_empty": True}), days, at("09:00", "2026-02-01")) == {}
