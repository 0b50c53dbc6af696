"""What has landed and what is missing, on days that are open, closed or out of bounds."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.runtime.errors import LandingError, SourceError
from pipeline.runtime.settings import Settings
from pipeline.sources.landing import (
    active_sources,
    drop_of,
    files,
    find_source,
    landed_days,
    missing,
    unread_folders,
    warnings,
)
from pipeline.sources.ledger import event_files

TOML = """
platform = "shop"
timezone = "UTC"
[delivery]
path = "shop/{{ds}}{glob}.csv"
format = "csv"
columns = ["who"]
{bounds}
[event]
user_id = "who"
item_id = "who"
event_type = "who"
event_time = "who"
"""


def own_source(home: Settings, glob: str = "", bounds: str = "") -> None:
    home.sources.mkdir()
    (home.sources / "shop.toml").write_text(TOML.format(glob=glob, bounds=bounds))


def test_a_source_whose_late_records_could_count_twice_is_refused(home: Settings) -> None:
    """Accepted a day ahead or `max_late_days` late, a record is recognised over all the days between."""
    own_source(home)
    file = home.sources / "shop.toml"
    file.write_text("max_late_days = 4\n" + file.read_text())
    assert active_sources(home.model_copy(update={"dedup_days": 6}))[0].max_late_days == 4
    with pytest.raises(SourceError) as caught:
        active_sources(home.model_copy(update={"dedup_days": 5}))
    assert str(caught.value) == (
        f"{file}: max_late_days: expected at most 3, found 4: a record that is delivered again so late would count "
        "twice, since duplicates are looked for in 5 arrival days (TIDEMARK_DEDUP_DAYS); lower it, or set "
        "TIDEMARK_DEDUP_DAYS to at least 6"
    )


def land(home: Settings, *names: str) -> None:
    for name in names:
        file = home.landing / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("who\n")


def test_nothing_is_active_in_an_empty_home(home: Settings) -> None:
    assert active_sources(home) == []
    assert landed_days(home) == []


def test_a_landing_folder_or_an_own_file_makes_a_source_active(home: Settings) -> None:
    own_source(home)
    land(home, "online_retail/2011-03-01.csv.gz", "_truth/x.csv", ".partial/x.csv", "identity.csv")
    assert [source.platform for source in active_sources(home)] == ["online_retail", "shop"]


def test_an_own_file_overrides_a_shipped_one(home: Settings) -> None:
    own_source(home)
    text = (home.sources / "shop.toml").read_text().replace('"shop"', '"webshop"')
    (home.sources / "webshop.toml").write_text(text)
    assert find_source(home, "webshop").delivery.path == "shop/{ds}.csv"


def test_a_folder_that_no_source_reads_is_reported_and_stops_nothing(home: Settings) -> None:
    own_source(home)
    land(home, "shopp/2011-03-01.csv", "shop/2011-03-01.csv", "tmall/2017-11-25.parquet", "_notes/x", ".partial/y")
    assert unread_folders(home) == ["shopp"]
    assert [source.platform for source in active_sources(home)] == ["shop", "tmall"]
    assert warnings(home) == [
        f"landing/shopp: no source reads this folder; write {home.sources}/shopp.toml, or rename it to _shopp"
    ]


def test_a_folder_of_another_name_is_read_where_a_source_says_so(home: Settings) -> None:
    own_source(home)
    toml = home.sources / "shop.toml"
    toml.write_text(toml.read_text().replace("shop/{ds}", "{ds}/shop"))
    land(home, "2011-03-01/shop.csv", "other/x")
    assert unread_folders(home) == ["other"]


def test_a_source_of_no_name_is_named(home: Settings) -> None:
    with pytest.raises(SourceError, match=r"shopp: no source of that name; expected .*shopp\.toml"):
        find_source(home, "shopp")


def test_a_file_named_for_another_platform_is_refused(home: Settings) -> None:
    own_source(home)
    (home.sources / "shop.toml").rename(home.sources / "store.toml")
    with pytest.raises(SourceError, match="expected the file's name 'store', found 'shop'"):
        active_sources(home)


def test_landed_days_and_files_of_a_glob(home: Settings) -> None:
    own_source(home, glob="*")
    land(home, "shop/2011-03-02-b.csv", "shop/2011-03-02-a.csv", "shop/2011-03-01.csv")
    land(home, "shop/2011-02-30.csv", "shop/notes.csv", "shop/items/2011-01-01.csv")
    assert landed_days(home) == ["2011-03-01", "2011-03-02"]
    [source] = active_sources(home)
    assert [file.name for file in files(home, source, "2011-03-02")] == [
        "2011-03-02-a.csv",
        "2011-03-02-b.csv",
    ]


DAY, NEXT = "2011-03-02", "2011-03-03"


@pytest.mark.parametrize(
    ("path", "meant", "others"),
    [
        pytest.param("[ab]-", ["[ab]-"], ["a-", "b-"], id="brackets"),
        pytest.param("[!a]", ["[!a]"], ["b", "!"], id="not in brackets"),
        pytest.param("{a,b}", ["{a,b}"], ["a", "b"], id="braces"),
        pytest.param("100% \\'\"#&+~$", ["100% \\'\"#&+~$"], ["100"], id="signs of shells and URLs"),
        pytest.param("[*]", ["[ab]", "[]", "[*]"], ["a", "*", "ab"], id="a star between brackets"),
        pytest.param("?", ["[", "*", "?"], ["ab", ""], id="a question mark"),
        pytest.param("*", ["[ab]", "*", "{a}", "?", "["], [], id="names that are patterns"),
        pytest.param("**", ["", "a"], ["a/b", "/b"], id="two stars are one"),
    ],
)
def test_only_stars_and_question_marks_of_a_path_stand_for_anything(
    path: str, meant: list[str], others: list[str], home: Settings
) -> None:
    """The files of a day, those of all days and the ledger agree, and a file's own name is never a pattern."""
    own_source(home, glob=path.replace("\\", "\\\\").replace('"', '\\"'))
    land(home, *[f"shop/{ds}{name}.csv" for ds in (DAY, NEXT) for name in (*meant, *others)])
    [source] = active_sources(home)
    for ds in (DAY, NEXT):
        expected = {f"shop/{ds}{name}.csv" for name in meant}
        assert {found.relative_to(home.landing).as_posix() for found in files(home, source, ds)} == expected
        assert set(event_files(home)[ds]) == expected
        assert {drop.path for name in expected if (drop := drop_of(home, name))} == {source.delivery.path}
        assert not any(drop_of(home, f"shop/{ds}{name}.csv") for name in others)
    assert landed_days(home) == [DAY, NEXT]


@pytest.mark.parametrize(
    ("bounds", "ds", "is_missing"),
    [
        ("", "2011-03-07", False),  # landed
        ("", "2011-03-06", False),  # before the first landed day
        ("", "2011-03-08", True),
        ("", "2099-01-01", True),
        ("first_day = 2011-03-05", "2011-03-06", True),
        ("first_day = 2011-03-05", "2011-03-04", False),
        ("last_day = 2011-03-08", "2011-03-08", True),
        ("last_day = 2011-03-08", "2011-03-09", False),
        ('closed_weekdays = ["Tuesday"]', "2011-03-08", False),
        ('closed_weekdays = ["Tuesday"]', "2011-03-09", True),
        ("closed_dates = [2011-03-08]", "2011-03-08", False),
    ],
)
def test_missing(home: Settings, bounds: str, ds: str, is_missing: bool) -> None:
    own_source(home, bounds=bounds)
    land(home, "shop/2011-03-07.csv")  # a Monday
    expected = [f"shop: no file matches landing/shop/{ds}.csv"] if is_missing else []
    assert missing(home, ds) == expected
    assert missing(home.model_copy(update={"allow_empty": True}), ds) == []


def test_a_source_that_is_not_required_is_never_missing(home: Settings) -> None:
    own_source(home)
    toml = home.sources / "shop.toml"
    toml.write_text(toml.read_text().replace('timezone = "UTC"', 'timezone = "UTC"\nrequired = false'))
    land(home, "shop/2011-03-07.csv")
    assert missing(home, "2011-03-08") == []


def test_a_source_that_never_delivered_misses_nothing(home: Settings) -> None:
    own_source(home)
    assert missing(home, "2011-03-01") == []


def test_imports_stay_light() -> None:
    code = "import sys, pipeline.sources.landing; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"pyspark", "pyarrow", "pyiceberg", "great_expectations", "torch", "pandas"}
    assert not heavy & set(done.stdout.split())


def folder(path: Path) -> None:
    path.mkdir()


def dangling(path: Path) -> None:
    path.symlink_to("nowhere")


@pytest.mark.parametrize(
    ("put", "name", "found"),
    [
        (folder, "2026-01-02-b.csv", "found a folder"),
        (dangling, "2026-01-02-b.csv", "found a link that leads nowhere"),
        (os.mkfifo, "2026-01-02-b.csv", "found a pipe, a socket or a device"),
        (Path.touch, os.fsdecode(b"2026-01-02-\xff.csv"), "expected a name in UTF-8"),
        (
            folder,
            "2026-01-02-\x1b[2J\nerror: forged.csv",
            r"2026-01-02-\\u001b\[2J\\nerror: forged.csv: expected a file",
        ),
    ],
)
def test_what_stands_where_a_file_is_expected_is_named(put, name: str, found: str, home: Settings) -> None:
    own_source(home, glob="*")
    land(home, "shop/2026-01-02-a.csv")
    put(home.landing / "shop" / name)
    with pytest.raises(LandingError, match=found) as caught:
        files(home, active_sources(home)[0], "2026-01-02")
    assert "landing/shop/2026-01-02-" in str(caught.value) and str(caught.value).isprintable()


def test_a_link_to_a_file_is_a_file(home: Settings) -> None:
    own_source(home, glob="*")
    land(home, "_store/real.csv")
    (home.landing / "shop").mkdir()
    (home.landing / "shop" / "2026-01-02-a.csv").symlink_to(home.landing / "_store" / "real.csv")
    assert len(files(home, active_sources(home)[0], "2026-01-02")) == 1
