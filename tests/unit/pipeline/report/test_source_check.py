"""The facts of `source check`: what changed, what is cut, and the page."""

from dataclasses import replace
from pathlib import Path

from pipeline.report.source_check import (
    ColumnFacts,
    Rejected,
    Sessions,
    SourceCheck,
    changes,
    cut,
    print_check,
    write_page,
)

CHECK = SourceCheck(
    platform="shop",
    title="shop 2026-03-31",
    files=("shop/2026-03-31.csv",),
    records=100,
    rows=100,
    events=80,
    duplicates=5,
    bots=3,
    share=0.25,
    own=(ColumnFacts("who", 1.0, 40, ("anna", "<b>bert</b>")), ColumnFacts("price", 0.9, 7, ("1.5",))),
    canonical=(ColumnFacts("price", 0.9, 7, ("1.5",)),),
    rejected=(Rejected("bad_price", 12, (("shop/2026-03-31.csv", "7", '{"price": "[bold]"}'),)),),
    times=(("2026-03-31 09:00", "view", 60), ("2026-03-31 09:00", "cart", 10), ("2026-03-31 10:00", "view", 10)),
    sessions=Sessions(users=40, sessions=50, events=80, longest=9),
)


def test_the_numbers_add_up() -> None:
    assert CHECK.quarantined == 15
    assert CHECK.becomes == "100 rows = 80 events + 5 duplicates + 15 quarantined (3 of bots)"
    assert CHECK.types == {"view": 70, "cart": 10}
    assert CHECK.by_time() == (
        ["view", "cart"],
        [("2026-03-31 09:00", [60, 10]), ("2026-03-31 10:00", [10, 0])],
    )


def test_only_notable_changes_are_told() -> None:
    now = replace(
        CHECK,
        rows=101,
        events=40,
        own=(ColumnFacts("who", 0.99, 40, ()), ColumnFacts("cost", 0.9, 7, ())),
        canonical=(ColumnFacts("price", 0.2, 7, ()),),
        times=(("2026-03-31 09:00", "view", 40),),
        rejected=(Rejected("bad_price", 12, ()), Rejected("malformed", 4, ())),
    )
    assert changes(now, CHECK) == [
        ("events", "80", "40", "-50 %"),
        ("quarantined", "15", "19", "+27 %"),
        ("events of type view", "70", "40", "-43 %"),
        ("events of type cart", "10", "0", "-100 %"),
        ("rejected as malformed", "0", "4", "+4"),
        ("price of file", "there", "–", "gone"),
        ("cost of file", "–", "there", "new"),
        ("price of mapped rows filled", "90.0%", "20.0%", "-70.0 points"),
    ]
    assert changes(CHECK, CHECK) == []


def test_values_are_escaped_and_cut() -> None:
    assert cut("a\nb\x1b[31m\u202e") == "a\\nb\\x1b[31m\\u202e"
    assert cut("x" * 200) == "x" * 79 + "…"
    assert cut(None) == ""


def test_what_is_printed_says_that_it_is_a_sample(capsys) -> None:
    print_check(CHECK)
    shown = capsys.readouterr().out
    assert shown.startswith("shop 2026-03-31: 100 rows in 1 files\nwarning: a sample: the first 25.0% of the bytes")
    rows = [line.split() for line in shown.splitlines()]
    assert ["view", "70", "87.5%"] in rows
    assert ["bad_price", "12", "shop/2026-03-31.csv:7", '{"price":', '"[bold]"}'] in rows
    assert shown.endswith(f"{CHECK.becomes}\n")


def test_the_page_escapes_what_files_hold(tmp_path: Path) -> None:
    page = tmp_path / "pages" / "check.html"
    write_page(page, CHECK, replace(CHECK, title="shop 2026-03-30", rows=50))
    text = page.read_text()
    assert "&lt;b&gt;bert&lt;/b&gt;" in text
    assert "<b>bert</b>" not in text
    assert "What changed since shop 2026-03-30" in text
    assert "shop/2026-03-31.csv:7" in text
    assert "http://" not in text.replace("http://www.w3.org", "")
