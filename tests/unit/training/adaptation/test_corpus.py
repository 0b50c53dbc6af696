"""What belongs together in a log, and logs that tell nothing."""

from dataclasses import replace

import pytest

from pipeline.runtime.errors import ModelError, UsageError
from tests.unit.training.adaptation.tiny import CUT, events, items
from training.adaptation.corpus import Corpus, corpus_of, cut_of
from training.adaptation.presets import PRESETS, adapt_preset

TINY = PRESETS["tiny"]
MINUTE = 1 / 1440
TITLES = items({"s:1": "red mug", "s:2": "blue cup", "s:3": "drill", "s:4": " ", "s:5": "lamp"})


def named(found: Corpus, objective: str) -> set[tuple[str, str]]:
    return {(found.texts[a], found.texts[b]) for a, b in found.pairs.get(objective, [])}


def test_items_of_one_user_within_the_window_are_together() -> None:
    log = events(
        [
            ("a", "s:1", "view", 0, None),
            ("a", "s:2", "cart", 0.5, None),
            ("a", "s:2", "view", 0.6, None),  # the same item again is no pair
            ("a", "s:3", "view", 3, None),  # too late after s:2
            ("b", "s:3", "view", 3.01, None),  # another user
            ("b", "s:5", "purchase", 3.02, None),
            ("b", "s:9", "view", 3.03, None),  # an item without a row
            ("b", "s:1", "impression", 3.04, None),  # seen, not engaged with
        ]
    )
    assert named(corpus_of(log, TITLES, CUT, TINY), "together") == {("red mug", "blue cup"), ("drill", "lamp")}


def test_a_query_is_paired_with_what_its_user_came_to_soon_after() -> None:
    log = events(
        [
            ("a", None, "search", 0, " mug "),
            ("a", "s:1", "view", 0, None),  # the same moment
            ("a", "s:2", "purchase", 10 * MINUTE, None),
            ("a", None, "search", 11 * MINUTE, "tool"),
            ("a", "s:3", "view", 20 * MINUTE, None),
            ("a", "s:5", "view", 60 * MINUTE, None),  # too late
            ("b", "s:5", "view", 12 * MINUTE, None),  # another user
            ("c", None, "search", 0, "mug"),
            ("c", None, "search", MINUTE, None),  # an empty query ends the one before
            ("c", "s:5", "view", 2 * MINUTE, None),
        ]
    )
    wanted = {("mug", "red mug"), ("mug", "blue cup"), ("tool", "drill")}
    assert named(corpus_of(log, TITLES, CUT, TINY), "query") == wanted


def test_reviews_and_categories() -> None:
    log = events(
        [("a", "s:1", "review", 0, "nice red"), ("b", "s:3", "review", 1, "strong"), ("b", "s:2", "view", 1, None)]
    )
    shop = items({"s:1": "red mug", "s:2": "blue cup"}, "Home").vstack(items({"s:3": "drill"}, "Tools"))
    found = corpus_of(log, shop, CUT, TINY)
    assert named(found, "review") == {("red mug. Home", "nice red"), ("drill. Tools", "strong")}
    assert named(found, "category") == {("red mug", "Home"), ("blue cup", "Home"), ("drill", "Tools")}


def test_nothing_of_after_the_cut_is_learned() -> None:
    log = events([("a", "s:1", "view", 25, None), ("a", "s:2", "view", 25, None), ("a", "s:5", "review", 25, "late")])
    new = items({"s:7": "kettle"}, first_ds="2024-05-25")
    preset = replace(TINY, objectives=("mlm",))
    assert corpus_of(log, TITLES.vstack(new), CUT, preset).texts == ["blue cup", "drill", "lamp", "red mug"]


def test_the_cut_leaves_about_the_wanted_share_for_later() -> None:
    log = events([("a", "s:1", "view", day, None) for day in range(10)])
    assert cut_of(log, 0.1) == "2024-05-09"
    assert cut_of(log, 0.3) == "2024-05-07"
    assert cut_of(events([("a", "s:1", "view", day, None) for day in (0, 1, 1, 1, 1)]), 0.1) == "2024-05-01"
    with pytest.raises(ModelError, match=r"user_history: expected events of at least two days, .* found 1"):
        cut_of(log.head(1), 0.1)


@pytest.mark.parametrize(
    ("objectives", "log", "message"),
    [
        (
            "query",
            [("a", None, "search", 0, "mug"), ("b", "s:1", "view", 0, None)],
            r"query: .* found 0 pairs .* 1 searches",
        ),
        ("together", [("a", "s:1", "view", 0, None), ("a", "s:1", "cart", 0, None)], r"together: .* found 0 pairs"),
        (
            "together",
            [("a", "s:1", "view", 0, None), ("a", "s:2", "cart", 0, None)],
            r"found 1 pairs of 1 and 1 different",
        ),
        ("review", [("a", "s:1", "review", 0, " ")], r"review: .*leave review out of --objectives"),
        (
            "",
            [("a", "s:1", "view", 0, None)],
            r"expected pairs of at least two different texts up to 2024-05-20, found none",
        ),
    ],
)
def test_logs_that_tell_nothing_are_named(objectives: str, log: list, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        corpus_of(events(log), TITLES, CUT, adapt_preset("tiny", objectives))


def test_a_shop_without_texts_is_named() -> None:
    with pytest.raises(ModelError, match=r"items: expected items with a title, category or brand known by 2024-05-20"):
        corpus_of(events([("a", "s:4", "view", 0, None)]), items({"s:4": " "}), CUT, TINY)


def test_choices_that_do_not_exist_are_named() -> None:
    with pytest.raises(UsageError, match=r"--preset: expected one of base, .* found 'huge'"):
        adapt_preset("huge")
    with pytest.raises(UsageError, match=r"--objectives: .* found 'clicks'"):
        adapt_preset("tiny", "query,clicks")
    with pytest.raises(UsageError, match=r"--tuning: .* found 'half'"):
        adapt_preset("tiny", tuning="half")
    with pytest.raises(UsageError, match=r"--tuning frozen: expected objectives other than mlm"):
        adapt_preset("tiny", "mlm", "frozen")
