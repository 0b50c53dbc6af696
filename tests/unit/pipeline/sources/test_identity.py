"""The identity map: what is refused, and how its versions grow from load to load."""

import shutil
from pathlib import Path

import polars as pl
import pytest

from pipeline.runtime.errors import LandingError
from pipeline.runtime.settings import Settings
from pipeline.sources.identity import ALWAYS, VERSIONS, evolve, read_identities, stated_accounts
from pipeline.sources.user_key import load_user_key, pseudonym

CASE = Path(__file__).resolve().parents[3] / "cases" / "identity" / "blank_person"
HEADER = "platform,raw_id,person_id\n"
DATED = "platform,raw_id,person_id,since\n"
Row = tuple[str, str, str]


def write(home: Settings, text: str) -> None:
    (home.landing / "identity.csv").write_text(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER + "webshop,a,1\n,b,1\n", "row 3: expected a platform, found none; leave the row out"),
        (HEADER + "webshop,,1\n", "row 2: expected a raw_id, found none"),
        (HEADER + "webshop,a,  \n", "row 2: expected a person_id, found none"),
        (HEADER + "webshop,a ,1\n", "row 2: expected a raw_id without blanks around it, found some; remove them"),
        (HEADER + "webshop,a,\t1\n", "row 2: expected a person_id without blanks around it"),
        (HEADER + "\nwebshp,a,1\n", "row 3: expected a platform with a source (marketplace, online_retail,"),
        (HEADER + "webshop,a,1,2\n", "row 2: expected 3 fields (platform, raw_id, person_id), found 4"),
        (HEADER + "webshop,a\n", "row 2: expected 3 fields (platform, raw_id, person_id), found 2"),
        (
            DATED + "webshop,a,1,01.03.2011\n",
            "row 2: expected since as a day YYYY-MM-DD or nothing, found '01.03.2011'",
        ),
        (DATED + "webshop,a,1,2011-02-30\n", "row 2: expected since as a day YYYY-MM-DD or nothing"),
        (HEADER + "webshop,a,1\nwebshop,b,1\nwebshop,a,2\n", "row 4: expected one person per account and day, found"),
        (DATED + "webshop,a,1,2011-03-01\nwebshop,a,2,2011-03-01\n", "found another than in row 2; leave one of them"),
        (DATED + "webshop,a,1,\nwebshop,a,2,0001-01-01\n", "row 3: expected one person per account and day"),
        ("platform,id,person\nwebshop,a,1\n", "expected a CSV with the columns platform, raw_id, person_id and"),
        ("", "found an empty file; correct the header"),
        (HEADER + 'webshop,"a,1\n', "expected a CSV in UTF-8"),
    ],
)
def test_a_wrong_map_is_refused_with_the_row(home: Settings, text: str, message: str) -> None:
    write(home, text)
    with pytest.raises(LandingError) as caught:
        read_identities(home)
    assert str(caught.value).startswith("identity.csv: ")
    assert message in str(caught.value)


def test_bytes_that_are_no_text(home: Settings) -> None:
    (home.landing / "identity.csv").write_bytes(HEADER.encode() + b"webshop,\xe9,1\n")
    with pytest.raises(LandingError, match=r"identity\.csv: expected a CSV in UTF-8"):
        read_identities(home)


def test_a_blank_person_is_nobody(home: Settings) -> None:
    shutil.copytree(CASE, home.home, dirs_exist_ok=True)
    with pytest.raises(LandingError) as caught:
        read_identities(home)
    assert str(caught.value) == "identity.csv: row 5: expected a person_id, found none; leave the row out"
    path = home.landing / "identity.csv"
    path.write_text("".join(line for line in path.open() if not line.endswith(",\n")))
    rows = read_identities(home)
    assert rows is not None
    assert rows.rows() == [("crm", "ann-web", "P-1", None, 2), ("crm", "ann-app", "P-1", None, 3)]


def test_an_account_may_have_a_person_per_day(home: Settings) -> None:
    write(home, "\ufeff" + DATED + "webshop,a,1,\nwebshop,a,2,2011-03-01\nwebshop,a,1,2011-03-05\n")
    rows = read_identities(home)
    assert rows is not None
    key, found = load_user_key(home.home), stated_accounts(home, rows)
    assert found["account_id"].unique().to_list() == [pseudonym(key, "webshop:a")]
    persons = [pseudonym(key, f"person:{number}") for number in "121"]
    assert found.select("user_id", "since").rows() == list(
        zip(persons, (None, "2011-03-01", "2011-03-05"), strict=True)
    )


def test_no_file_is_no_map(home: Settings) -> None:
    assert read_identities(home) is None


def grown(known: list[Row], stated: list[tuple[str, str, str | None]], first: str, start: str = "") -> list[Row]:
    """The versions after a load that begins with the day `first` (two digits, for short)."""
    before = pl.DataFrame(known, VERSIONS, orient="row")
    rows = pl.DataFrame(stated, dict.fromkeys(("account_id", "user_id", "since"), pl.String), orient="row")
    return evolve(before, rows, first, start or first).rows()


def test_the_first_map_holds_always() -> None:
    assert grown([], [("a", "P", None), ("b", "P", "03")], "05", ALWAYS) == [("a", "P", ALWAYS), ("b", "P", "03")]


def test_a_change_counts_from_the_load_that_sees_it() -> None:
    known = [("a", "P", ALWAYS), ("b", "P", ALWAYS), ("c", "Q", "02")]
    stated = [("a", "P", None), ("b", "Q", None), ("d", "Q", None)]
    expected = [
        ("a", "P", ALWAYS),  # as before
        ("b", "P", ALWAYS),
        ("b", "Q", "05"),  # moved
        ("c", "Q", "02"),
        ("c", "c", "05"),  # left
        ("d", "Q", "05"),  # joined
    ]
    assert grown(known, stated, "05") == expected
    assert grown(expected, stated, "06") == expected, "the next load sees no change"
    assert grown(expected, [*stated, ("c", "Q", None)], "07")[-2:] == [("c", "Q", "07"), ("d", "Q", "05")]


def test_a_day_that_is_loaded_again_takes_its_changes_neither_back_nor_forward() -> None:
    """The load of 05 saw b join; 03, 05 and 06 are loaded again with today's map."""
    known = [("a", "P", ALWAYS), ("b", "P", "05")]
    for first in ("03", "05", "06"):
        assert grown(known, [("a", "P", None), ("b", "P", None)], first) == known
    assert grown(known, [("a", "P", None), ("b", "Q", None)], "03")[1:] == [("b", "Q", "03")], "seen on 03 first"


def test_the_days_of_the_file_win() -> None:
    known = [("a", "P", ALWAYS), ("a", "Q", "05")]
    assert grown(known, [("a", "Q", "03")], "07") == [("a", "P", ALWAYS), ("a", "Q", "03")]
    assert grown(known, [("a", "R", "03")], "07") == [("a", "P", ALWAYS), ("a", "R", "03")]
    assert grown(known, [("a", "Q", "06")], "07") == known, "it is so already"
    assert grown(known, [("a", "P", None), ("a", "R", "08")], "07") == [("a", "P", ALWAYS), ("a", "R", "08")]
    assert grown([("a", "P", "02")], [("a", "P", None), ("a", "Q", "05")], "07") == [("a", "P", "02"), ("a", "Q", "05")]
    assert grown([("a", "P", "06")], [("a", "P", None), ("a", "Q", "05")], "07") == [
        ("a", "P", ALWAYS),
        ("a", "Q", "05"),
    ]
