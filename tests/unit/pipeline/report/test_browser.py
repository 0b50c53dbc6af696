"""The pages in a real browser: nothing runs off a phone's side, nothing is asked of the net."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.report.night import night_of
from pipeline.report.pages import write_night
from pipeline.runtime.settings import Settings
from pipeline.storage.report_files import nightly_folder
from tests.unit.pipeline.report.browser import CHROMIUM, Browser, open_browser
from tests.unit.pipeline.report.conftest import NIGHT

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]
PHONE, DESK = 390, 1440
# What reaches over the right edge; a picture's own marks are cut off by the picture.
OVER = "[...document.querySelectorAll('*')].filter(it => !it.closest('svg')).filter(it => it.getBoundingClientRect().right > innerWidth + 0.5).map(it => it.tagName + ' ' + it.textContent.trim().slice(0, 40))"  # noqa: E501
# Contrast of every text with the nearest ground behind it (WCAG 2.2, 1.4.3).
CONTRAST = """
(() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0);
  const ground = (it) => {
    for (; it; it = it.parentElement) {
      const style = getComputedStyle(it);
      if (style.backgroundImage !== "none") return null;
      const colour = parse(style.backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const low = [];
  for (const it of document.querySelectorAll("main *:not(svg *)")) {
    if (![...it.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())) continue;
    const behind = ground(it);
    if (!behind || ["SCRIPT", "STYLE"].includes(it.tagName)) continue;
    const [a, b] = [light(parse(getComputedStyle(it).color)), light(behind)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) low.push(ratio.toFixed(2) + " " + it.textContent.trim().slice(0, 40));
  }
  return low;
})()
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with open_browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture(scope="module")
def pages(nights: Settings) -> Path:
    write_night(nights, night_of(nights, NIGHT))
    return nightly_folder(nights)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESK])
@pytest.mark.parametrize("name", [NIGHT, "index"])
def test_a_page_fits_and_reads_well(browser: Browser, pages: Path, name: str, width: int, dark: bool) -> None:
    address = (pages / f"{name}.html").as_uri()
    browser.open(address, width, dark)
    assert browser.value("document.documentElement.scrollWidth") == width
    assert browser.value(OVER) == []
    assert browser.value(CONTRAST) == []
    assert browser.complaints() == []
    assert [it for it in browser.requests() if not it.startswith("data:")] == [address]


def test_dark_is_dark(browser: Browser, pages: Path) -> None:
    grounds = []
    for dark in (False, True):
        browser.open((pages / f"{NIGHT}.html").as_uri(), PHONE, dark)
        grounds.append(browser.value("getComputedStyle(document.body).backgroundColor"))
    assert grounds[0] != grounds[1]


def test_links_lead_to_pages_that_exist(browser: Browser, pages: Path) -> None:
    browser.open((pages / "index.html").as_uri(), DESK)
    there = browser.value("[...document.querySelectorAll('.nights a')].map(it => it.href)")
    assert (pages / f"{NIGHT}.html").as_uri() in there
