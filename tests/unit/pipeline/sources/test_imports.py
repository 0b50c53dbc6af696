"""An import is delivered once, whenever it is cut off, and says which days a load would wait for."""

from pathlib import Path

import pytest

from pipeline.runtime.days import walk
from pipeline.runtime.errors import LandingError
from pipeline.runtime.settings import Settings
from pipeline.sources import imports
from pipeline.sources.imports import DayFile, ImportFolder, Outside, Split
from pipeline.sources.landed_file import sha256_of
from pipeline.sources.landing import find_source, missing
from pipeline.sources.source import Source

TOML = """
platform = "shop"
timezone = "UTC"
[delivery]
path = "{path}"
format = "jsonl"
columns = ["uid"]
{more}
[event]
user_id = "uid"
item_id = "uid"
event_type = "uid"
event_time = "uid"
"""


def shop(home: Settings, path: str = "shop/{ds}.jsonl", more: str = "") -> Source:
    home.sources.mkdir(exist_ok=True)
    (home.sources / "shop.toml").write_text(TOML.format(path=path, more=more))
    return find_source(home, "shop")


def prepared(home: Settings, *days: str) -> tuple[ImportFolder, Split]:
    """An import whose days are whole, before any has moved."""
    folder = ImportFolder.of(home, shop(home), [])
    files = []
    for ds in days:
        path = folder.files / f"shop/{ds}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{{{ds}}}\n")
        files.append(DayFile(ds, f"shop/{ds}.jsonl", 1, sha256_of(path)))
    split = Split(files, {"without an event_time": Outside(1, ["a line 3"], days[0])})
    folder.keep(split)
    return folder, split


def landed(home: Settings) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted((home.landing / "shop").glob("*"))}


DAYS = ("2026-03-30", "2026-03-31", "2026-04-01")
WHOLE = {f"{ds}.jsonl": f"{{{ds}}}\n" for ds in DAYS}


@pytest.mark.parametrize("moves", [0, 1, 2, 3])
def test_a_delivery_that_was_cut_off_goes_on(home: Settings, monkeypatch: pytest.MonkeyPatch, moves: int) -> None:
    folder, split = prepared(home, *DAYS)
    left, move = [moves], imports._move

    def move_some(waiting: Path, target: Path) -> None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        move(waiting, target)

    with monkeypatch.context() as cut:
        cut.setattr(imports, "_move", move_some)
        if moves < 3:
            with pytest.raises(KeyboardInterrupt):
                imports.deliver(home, folder, split)
        else:
            imports.deliver(home, folder, split)
    assert imports.is_delivered(home, split) == (moves == 3)
    again = folder.split()
    assert again == split
    imports.deliver(home, folder, split)
    assert landed(home) == WHOLE
    assert imports.is_delivered(home, split)
    assert not folder.path.exists()
    imports.deliver(home, folder, split)
    assert landed(home) == WHOLE


def test_a_file_of_another_content_stays_and_nothing_moves(home: Settings) -> None:
    folder, split = prepared(home, *DAYS)
    (home.landing / "shop").mkdir()
    (home.landing / "shop" / f"{DAYS[2]}.jsonl").write_text("{}\n")
    with pytest.raises(LandingError, match=r"shop/2026-04-01\.jsonl: expected no file yet, found one \(and 0 more\)"):
        imports.deliver(home, folder, split)
    assert landed(home) == {f"{DAYS[2]}.jsonl": "{}\n"}


def test_an_import_is_named_by_what_it_is_made_of(home: Settings) -> None:
    before = ImportFolder.of(home, shop(home), []).path
    assert ImportFolder.of(home, shop(home), []).path == before
    assert ImportFolder.of(home, shop(home, more="closed_dates = [2026-04-03]"), []).path == before
    assert ImportFolder.of(home, shop(home, more="first_day = 2026-04-03"), []).path != before


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("shop/{ds}.jsonl", "shop/2026-03-30.jsonl"),
        ("shop/{ds}*", "shop/2026-03-30import"),
        ("shop/{ds}/part-*.jsonl.gz", "shop/2026-03-30/part-import.jsonl.gz"),
        ("shop/{ds}-??.jsonl", "shop/2026-03-30-00.jsonl"),
        ("shop/dt={ds}/**/x.jsonl", "shop/dt=2026-03-30/import/x.jsonl"),
    ],
)
def test_the_name_of_a_day_is_one_that_the_source_reads(home: Settings, path: str, name: str) -> None:
    """`??` became the word import, which two question marks do not match."""
    source = shop(home, path)
    assert imports.targets(home, source.delivery, ["2026-03-30"]) == {"2026-03-30": name}


def test_a_path_that_matches_no_name_of_ours_is_refused(home: Settings) -> None:
    with pytest.raises(LandingError, match="expected a name that the source reads again"):
        imports.targets(home, shop(home, "shop/{ds}[ab].jsonl").delivery, ["2026-03-30"])


def landed_on(home: Settings, *days: str) -> None:
    for ds in days:
        path = home.landing / f"shop/{ds}.jsonl"
        path.parent.mkdir(exist_ok=True)
        path.write_text("{}\n")


def declared(lines: list[str]) -> str:
    """What the lines ask to write into the source file."""
    return "\n".join(line for line in lines if line.startswith("    "))


def test_days_without_records_come_with_the_line_that_lets_a_load_pass(home: Settings) -> None:
    source = shop(home, more="closed_dates = [2026-04-03]")
    landed_on(home, "2026-03-30", "2026-03-31", "2026-04-02", "2026-04-06")
    lines = imports.told_missing(home, source)
    assert lines[0] == "no records on 3 days of 2026-03-30..2026-04-06: 2026-04-01, 2026-04-04..2026-04-05"
    assert lines[1].endswith(f"write into [delivery] of {source.file}:")
    assert declared(lines) == "    closed_dates = [2026-04-01, 2026-04-03, 2026-04-04, 2026-04-05]"
    shop(home, more=declared(lines))
    assert not any(missing(home, ds) for ds in walk("2026-03-30", "2026-04-06"))


def test_a_weekday_that_never_delivers_is_named_as_one(home: Settings) -> None:
    """Saturdays, and Good Friday."""
    days = [ds for ds in walk("2026-03-02", "2026-04-12") if ds not in ("2026-04-03",)]
    saturdays = {"2026-03-07", "2026-03-14", "2026-03-21", "2026-03-28", "2026-04-04", "2026-04-11"}
    landed_on(home, *(ds for ds in days if ds not in saturdays))
    lines = imports.told_missing(home, shop(home))
    assert declared(lines) == '    closed_weekdays = ["Saturday"]\n    closed_dates = [2026-04-03]'
    shop(home, more=declared(lines))
    assert not any(missing(home, ds) for ds in walk("2026-03-02", "2026-04-12"))


def test_a_long_list_is_wrapped_and_still_toml(home: Settings) -> None:
    landed_on(home, *(ds for ds in walk("2026-01-01", "2026-02-28") if int(ds[-2:]) % 3))
    text = declared(imports.told_missing(home, shop(home)))
    assert max(map(len, text.splitlines())) <= 120
    shop(home, more=text)
    assert not any(missing(home, ds) for ds in walk("2026-01-01", "2026-02-28"))


def test_very_many_days_are_questioned(home: Settings) -> None:
    """A time that is wrong makes a span of years."""
    landed_on(home, "2020-01-01", "2026-03-30", *walk("2026-03-01", "2026-03-29"))
    landed_on(home, *("2021-06-07", "2021-06-08", "2021-06-09", "2021-06-10", "2021-06-11", "2021-06-12", "2021-06-13"))
    lines = imports.told_missing(home, shop(home))
    assert lines[0].startswith("no records on ")
    assert declared(lines).startswith("    first_day, last_day: the ")


def test_nothing_is_said_where_no_load_would_stop(home: Settings) -> None:
    assert imports.told_missing(home, shop(home)) == []
    landed_on(home, "2026-03-30", "2026-04-02")
    (home.sources / "shop.toml").write_text("required = false\n" + (home.sources / "shop.toml").read_text())
    assert imports.told_missing(home, find_source(home, "shop")) == []


def test_rows_outside_are_listed() -> None:
    split = Split([], {"after 2026-03-31": Outside(5, ["a line 1", "a line 2", "a line 3"], "2026-03-31")})
    assert imports.told_outside(split) == [
        "outside: 5 rows after 2026-03-31 land on 2026-03-31, where loading quarantines or accepts them as late: "
        "a line 1, a line 2, a line 3, …"
    ]
