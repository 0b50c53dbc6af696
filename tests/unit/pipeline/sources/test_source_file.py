"""Source files: what is read, and the message for everything that can be wrong in one."""

from pathlib import Path

import pytest

from pipeline.runtime.errors import SourceError
from pipeline.sources.landing import SHIPPED
from pipeline.sources.source import load_source

TOML = """
platform = "shop"
timezone = "Europe/Berlin"
near_duplicate_seconds = 2
max_late_days = 3
[delivery]
path = "shop/{ds}.csv.gz"
format = "csv"
columns = ["who", "what"]
encoding = "latin-1"
first_day = 2011-03-01
last_day = 2011-03-31
closed_weekdays = ["Saturday"]
closed_dates = [2011-03-08]
[event]
user_id = "who"
item_id = "what"
event_type = "'view'"
event_time = "now()"
item_title = "what"
[reject]
second = "false"
first = "true"
[items]
path = "shop/items/{ds}.jsonl"
format = "jsonl"
columns = ["sku"]
item_id = "sku"
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "shop.toml"
    file.write_text(text)
    return file


def test_everything_is_read(tmp_path: Path) -> None:
    source = load_source(written(tmp_path, TOML))
    assert (source.platform, source.timezone) == ("shop", "Europe/Berlin")
    assert (source.near_duplicate_seconds, source.max_late_days) == (2, 3)
    assert source.delivery.columns == ("who", "what")
    assert source.delivery.encoding == "iso8859-1"
    assert source.event["item_title"] == "what"
    assert list(source.reject) == ["second", "first"]  # in the order of the file
    assert source.items is not None
    assert source.items.expressions == {"item_id": "sku"}


def test_days_of_delivery(tmp_path: Path) -> None:
    delivery = load_source(written(tmp_path, TOML)).delivery
    assert [delivery.within(ds) for ds in ("2011-02-28", "2011-03-01", "2011-03-31")] == [
        False,
        True,
        True,
    ]
    assert not delivery.within("2011-04-01")
    assert delivery.closed("2011-03-05")  # a Saturday
    assert delivery.closed("2011-03-08")
    assert not delivery.closed("2011-03-07")


def test_the_dialect_of_a_csv(tmp_path: Path) -> None:
    dialect = 'encoding = "utf-16"\ndelimiter = "\\t"\nquote = ""\nescape = "\\\\"\ncomment = "#"\nheader = false\n'
    numbers = 'decimal = ","\nthousands = "."\n'
    text = TOML.replace('encoding = "latin-1"\n', dialect + numbers)
    delivery = load_source(written(tmp_path, text)).delivery
    assert (delivery.encoding, delivery.delimiter, delivery.quote, delivery.escape) == ("utf-16", "\t", "", "\\")
    assert (delivery.comment, delivery.header, delivery.decimal, delivery.thousands) == ("#", False, ",", ".")
    assert not delivery.plain_numbers


def test_what_is_done_with_a_value_that_cannot_be_read(tmp_path: Path) -> None:
    table = TOML.replace("[delivery]", 'on_error = {default = "null", price = "reject"}\n[delivery]', 1)
    source = load_source(written(tmp_path, table))
    assert (source.rejects("price"), source.rejects("quantity")) == (True, False)
    word = TOML.replace("[delivery]", 'on_error = "null"\n[delivery]', 1)
    assert not load_source(written(tmp_path, word)).rejects("price")
    assert load_source(written(tmp_path, TOML)).rejects("price")


def test_little_is_needed(tmp_path: Path) -> None:
    lines = [line for line in TOML.split("[reject]")[0].splitlines() if not _optional(line)]
    source = load_source(written(tmp_path, "\n".join(lines)))
    assert (source.near_duplicate_seconds, source.max_late_days, source.required) == (0, 5, True)
    assert source.delivery.within("1999-01-01")
    assert (source.items, source.reject, source.delivery.encoding) == (None, {}, "utf-8")


def _optional(line: str) -> bool:
    names = ("near_", "max_", "first_", "last_", "closed_", "encoding", "item_title")
    return line.startswith(names)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('platform = "shop"', 'platform = "My Shop"', "platform: expected a name like"),
        ('platform = "shop"', "platform = 5", "platform: expected a text, found 5"),
        ('platform = "shop"\n', "", "platform: expected a text, found None"),
        ("Europe/Berlin", "Europe/Atlantis", "timezone: expected an IANA time zone"),
        ("= 2\n", "= -1\n", "near_duplicate_seconds: expected a number from 0, found -1"),
        ("max_late_days = 3", "max_late_days = 2.5", "max_late_days: expected a whole number from 0, found 2.5"),
        ("max_late_days = 3", "max_late_day = 3", "max_late_day: expected no such key; known are platform, timezone,"),
        ("max_late_days = 3", "required = 1", "required: expected true or false, found 1"),
        ("{ds}.csv.gz", "events.csv.gz", "delivery.path: expected a path below landing/ with one"),
        ("shop/{ds}.csv", "../{ds}.csv", "delivery.path: expected a path below landing/ with one"),
        ('"csv"', '"xml"', "delivery.format: expected one of jsonl, csv, parquet, orc, found 'xml'"),
        ('["who", "what"]', "[]", "delivery.columns: expected the names of all fields, each once"),
        ('["who", "what"]', '["a", "a"]', "delivery.columns: expected the names of all fields"),
        ('["who", "what"]', '"who"', "delivery.columns: expected a list of str, found 'who'"),
        ("latin-1", "klingon", "delivery.encoding: expected an encoding of text such as utf-8, utf-16"),
        ("latin-1", "base64", "delivery.encoding: expected an encoding of text such as utf-8, utf-16"),
        ('"latin-1"', '"utf-8"\ndelimiter = ";;"', "delivery.delimiter: expected one ASCII character, found ';;'"),
        ('"latin-1"', '"utf-8"\nquote = ","', "delivery.quote: expected another sign than delimiter, found ','"),
        ('"latin-1"', '"utf-8"\nthousands = "."', "delivery.thousands: expected another sign than decimal, found '.'"),
        ('"latin-1"', '"utf-8"\ndecimal = ";"', "delivery.decimal: expected one of ., ,, found ';'"),
        ('"jsonl"', '"jsonl"\ndelimiter = ";"', "items.delimiter: expected nothing: it is of CSV files, and format is"),
        ('["who", "what"]', '["tidemark:landed"]', "delivery.columns: expected names that do not begin with"),
        ("max_late_days = 3", 'on_error = "drop"', "on_error.default: expected one of reject, null, found 'drop'"),
        ("max_late_days = 3", "on_error = {prise = 'null'}", "on_error.prise: expected one of default, user_id, item"),
        ("Saturday", "Caturday", "delivery.closed_weekdays: expected names out of Monday"),
        ("[2011-03-08]", '["2011-03-08"]', "delivery.closed_dates: expected a list of date"),
        ("= 2011-03-01", '= "2011-03-01"', "delivery.first_day: expected a date such as"),
        ("[delivery]", "[deliveries]", "delivery: expected a table [delivery], found None"),
        ('user_id = "who"\n', "", "event.user_id: expected a text, found None"),
        ("event_time =", "event_tim =", "event.event_time: expected a text, found None"),
        ("item_title =", "item_titel =", "event.item_titel: expected no such key; known are"),
        ('"false"', "false", "reject.second: expected a text, found False"),
        ("second =", '"two words" =', "reject.two words: expected a reason like"),
        ('item_id = "sku"', 'id = "sku"', "items.item_id: expected a text, found None"),
        ("[event]", "[event", "not valid TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in TOML
    file = written(tmp_path, TOML.replace(old, new, 1))
    with pytest.raises(SourceError) as caught:
        load_source(file)
    assert message in str(caught.value)
    assert str(file) in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no\.toml: cannot be read: No such file"):
        load_source(tmp_path / "no.toml")


@pytest.mark.parametrize("file", sorted(SHIPPED.glob("*.toml")), ids=lambda file: file.stem)
def test_shipped_sources(file: Path) -> None:
    source = load_source(file)
    assert source.platform == file.stem
    assert source.delivery.path.startswith(f"{file.stem}/")
