"""The pages as HTML: self-contained, balanced, escaped, complete with and without tables."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pipeline.report.night import night_of
from pipeline.report.pages import write_night
from pipeline.report.shelf import listed, render_start
from pipeline.runtime.settings import Settings
from pipeline.storage.report_files import nights_written
from tests.unit.pipeline.report.conftest import BEFORE, HOSTILE, NIGHT
from tests.unit.pipeline.report.published import publish_rows, user

VOID = {"meta", "link", "br", "img", "hr", "input"}
LOADING = ("src", "srcset", "data", "poster", "action", "background")


class Page(HTMLParser):
    """Checks that tags are balanced, and keeps what a browser would load, link to and show."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.shown: list[str] = []
        self.scripts: list[str | None] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        assert len(found) == len(attributes), f"<{tag}> has an attribute twice"
        self.loads += [found[name] or "" for name in LOADING if name in found]
        self.loads += [found.get("href") or ""] if tag == "link" else []
        self.links += [found.get("href") or ""] if tag == "a" else []
        self.ids += [found["id"] or ""] if "id" in found else []
        self.scripts += [found.get("type")] if tag == "script" else []
        assert not [name for name in found if name.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self.open):
            self.shown.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.shown))


def page_of(settings: Settings, ds: str = NIGHT) -> tuple[str, Page]:
    text = write_night(settings, night_of(settings, ds)).read_text(encoding="utf-8")
    return text, Page(text)


def test_a_page_needs_nothing_but_itself(nights: Settings) -> None:
    text, page = page_of(nights)
    assert all(address.startswith("data:") for address in page.loads)
    assert page.scripts == ["application/json"]  # data, which no browser runs
    assert "@import" not in text and "url(" not in text
    assert not re.findall(r"https?://(?!www\.w3\.org)", text)
    assert len(page.ids) == len(set(page.ids))
    anchors = [link.removeprefix("#") for link in page.links if link.startswith("#")]
    assert anchors and set(anchors) <= set(page.ids)


def test_hostile_names_are_text(nights: Settings) -> None:
    text, page = page_of(nights)
    assert "<script>alert" not in text and "</script> &" not in text
    assert HOSTILE in page.text
    assert listed(nights, NIGHT).stands_out


def test_no_user_and_no_small_group_can_be_told_apart(nights: Settings) -> None:
    text, page = page_of(nights)
    assert not [n for n in range(12) if user(n) in text]
    assert "3 moves" not in page.text and "< 5 moves that fewer than 5 people made" in page.text
    assert re.search(r"rare < 5 users", page.text)
    assert re.search(r"1 with < 50 users each", page.text)
    # Nine are active and three lapsed: with the nine, twelve users would tell the three.
    assert re.search(r"active not told .*lapsed < 5 ", page.text)
    stages_of_life = text.partition("<h3>Stages of life</h3>")[2].partition("<h3>")[0]
    assert "75.0" not in stages_of_life and "25.0" not in stages_of_life


def test_every_part_is_there(nights: Settings) -> None:
    _, page = page_of(nights)
    for words in (
        "Tuesday, 5 March 2024",
        "24 landed = 12 events + 1 duplicates + 11 quarantined",
        "adds up",
        "Stages of drift",
        "Where movers went",
        "Patterns of weekly paths",
        "Rising",
        "was born",
        "How to read the shift",
        "all alike 95.0 % shifted",
        "No model has been trained",
        "users scored 100.0 %",
        "Stages of life",
        "Unusual behaviour",
        "from the first row to the last table",
    ):
        assert words in page.text, words


def test_an_empty_home_gives_sentences_for_pictures(home: Settings) -> None:
    _, page = page_of(home)
    for words in (
        "accounting of this night is not published",
        "Interests of this night are not published",
        "No user was scored",
        "No model has been trained",
        "No segments are published",
        "Nothing tells of the steps",
    ):
        assert words in page.text, words


def test_a_first_night_has_nothing_to_compare_with(home: Settings) -> None:
    publish_rows(home, "accounting", NIGHT, [{}])
    publish_rows(home, "user_history", NIGHT, [{}])
    publish_rows(home, "user_features", NIGHT, [{}])
    _, page = page_of(home)
    assert "no earlier night" in page.text and "There is no earlier night" in page.text
    assert "6 landed = 3 events + 1 duplicates + 2 quarantined" in page.text


def test_a_night_without_events(home: Settings) -> None:
    publish_rows(home, "accounting", BEFORE, [{}])
    for table in ("accounting", "sessions", "user_features", "user_interests", "migrations"):
        publish_rows(home, table, NIGHT, [])
    _, page = page_of(home)
    assert "No row landed on this night" in page.text and "No row landed." in page.text
    assert "No user was scored" in page.text


def test_the_lists_lead_to_every_night(nights: Settings) -> None:
    for ds in (NIGHT, BEFORE):
        page_of(nights, ds)
    assert nights_written(nights) == [NIGHT, BEFORE]
    index = Page((nights.reports / "nightly" / "index.html").read_text(encoding="utf-8"))
    assert index.links == ["../index.html", f"{NIGHT}.html", f"{BEFORE}.html"]
    start = Page(render_start(nights, 1, data_docs="http://h:1/", mlflow="http://h:2/"))
    assert f"nightly/{NIGHT}.html" in start.links and f"nightly/{BEFORE}.html" not in start.links
    assert {"http://h:1/", "http://h:2/"} <= set(start.links)
    assert f"{BEFORE}.html" in page_of(nights, NIGHT)[1].links


def test_again_gives_the_same_page(nights: Settings) -> None:
    def without_clock(text: str) -> str:
        return re.sub(r"Made [\d: -]+ UTC", "", text)

    assert without_clock(page_of(nights)[0]) == without_clock(page_of(nights)[0])
    leftovers = [path.name for path in (nights.reports / "nightly").glob(".*")]
    assert leftovers == []


@pytest.mark.parametrize(("ds", "code"), [(NIGHT, 0), ("yesterday", 2)])
def test_by_hand(nights: Settings, monkeypatch, ds: str, code: int) -> None:
    monkeypatch.setenv("TIDEMARK_HOME", str(nights.home))
    command = [sys.executable, "-m", "pipeline", "build-report", "--ds", ds, "--run", "r1"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    if code == 0:
        page = Path(done.stdout.strip().splitlines()[-1])
        assert page == nights.reports / "nightly" / f"{NIGHT}.html" and page.exists()
        assert 'href="nightly/index.html"' in (nights.reports / "index.html").read_text()
