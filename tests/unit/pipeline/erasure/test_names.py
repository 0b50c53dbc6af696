"""Which words are a name, however they are written, and which ids are looked for at all."""

from html import escape
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.erasure.names import ENCODINGS, Names
from pipeline.erasure.words import is_long_number, is_name, is_searched

ANNA = "anna.b@example.org"
NAMES = Names([ANNA, "u-4711", "shop:u-4711", "a" * 32], ["4711123456"])

IS_NAMED = {
    "u-4711": True,
    '"u-4711",': True,
    "by u-4711.": True,
    "u-47110": False,
    "xu-4711": False,
    "u-4711-2": False,
    "x.u-4711": False,
    r"line\nu-4711\n": True,
    "q=%20u-4711%26": True,
    "q=%41u-4711": False,
    ANNA.upper(): True,
    f"mailto:{ANNA}?": True,
    f"jo{ANNA}": False,
    f"jo.{ANNA}": False,
    f"{ANNA}.uk": False,
    f"邮箱{ANNA}": True,
    "b" + "a" * 32: True,
    "4711123456": False,
}
IN_DOUBT = ("u-4711-2", "x.u-4711", f"jo.{ANNA}", f"{ANNA}.uk", "4711123456")


@pytest.mark.parametrize("text", IS_NAMED)
def test_words(text: str) -> None:
    """In a text and in its bytes; what may be a longer id is in doubt."""
    assert NAMES.named(text) == NAMES.named(text.encode()) == IS_NAMED[text]
    assert IS_NAMED[text] or NAMES.in_doubt(text) == NAMES.in_doubt(text.encode()) == (text in IN_DOUBT)


LETTERS = st.sampled_from("abz09.-_+/'\"&=éß漢")
IDS = st.text(LETTERS, min_size=6, max_size=12).map(lambda text: f"k{text}9")


@given(IDS, st.data())
def test_every_sign_may_be_written_in_another_way(name: str, data: st.DataObject) -> None:
    ways = [
        lambda sign: sign,
        lambda sign: "".join(f"\\u{sign.encode('utf-16-be').hex()[at : at + 4]}" for at in (0,)),
        lambda sign: f"&#{ord(sign)};",
        lambda sign: f"&#x{ord(sign):X};",
        lambda sign: "".join(f"%{octet:02X}" for octet in sign.encode()),
        lambda sign: escape(sign),
        lambda sign: quote(quote(sign, safe=""), safe=""),
    ]
    written = "".join(data.draw(st.sampled_from(ways))(sign) for sign in name)
    names = Names([name])
    assert names.named(f"say {written}, please") and names.named(f"say {written}, please".encode())
    assert names.masked(f"say {written}, please") == "say ***, please"


@given(IDS, st.sampled_from(ENCODINGS))
def test_bytes_of_other_encodings(name: str, encoding: str) -> None:
    try:
        content = f"say {name}, please".encode(encoding)
    except UnicodeEncodeError:
        return
    assert Names([name]).named(content)
    assert Names([name]).masked_bytes(content, encoding) == b"say ***, please"


@given(st.lists(st.sampled_from(["u-4711", ANNA, "%40", "x", " ", "\\u0040", "u-47110"]), max_size=30).map("".join))
def test_places_miss_nothing(text: str) -> None:
    """What is found around places is what the pattern finds in the whole text."""
    assert NAMES.spans(text) == [match.span() for match in NAMES._certain.finditer(text)]


def test_encodings_that_are_searched() -> None:
    """Those of EBCDIC and UTF-7 are not, and it is told."""
    searched = ("utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32-le", "cp1252", "gb18030", "shift_jis")
    assert all(map(is_searched, searched))
    assert not any(map(is_searched, ("cp037", "cp500", "utf-7")))


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (ANNA, "name"), ("anna-4711", "name"), ("c0ffee-cafe", "name"), ("a@b.de", "name"),
        ("4711123456", "number"), ("2024-03-05 12", "number"), ("12", ""), ("guest", ""), ("customer", ""),
        ("1e1000", ""), ("u-12", ""), ("12345678", ""),
    ],
)  # fmt: skip
def test_what_an_id_says(raw: str, kind: str) -> None:
    assert (is_name(raw), is_long_number(raw)) == (kind == "name", kind == "number")
