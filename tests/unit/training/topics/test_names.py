"""Names of topics: from titles of any script, unique, and something even where there is no word."""

import numpy as np
import pytest

from tests.unit.training.topics.worlds import day_items
from training.topics.names import commonest, name_topics, telling_words, words_of

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("RED Mug, red 250 ml x2", ["red", "mug"]),
        ("Ünïcode ☕ 漢字", ["ünïcode", "☕", "漢字"]),
        ("陶瓷茶杯", ["陶瓷", "瓷茶", "茶杯"]),
        ("クリスマス", ["クリ", "リス", "スマ", "マス"]),
        ("מנורת שולחן", ["מנורת", "שולחן"]),
        ("مصباح أحمر", ["مصباح", "أحمر"]),
        ("हिन्दी", ["हिन्दी"]),
        ("🎂🎂 👩‍👩‍👧 👍🏽", ["🎂", "👩‍👩‍👧", "👍🏽"]),
        ("12 / 3 -- !", []),
        ("", []),
        (None, []),
        ("a" * 25, []),
    ],
)
def test_words_of_a_title(title: str | None, words: list[str]) -> None:
    assert words_of(title) == words


def test_words_tell_a_topic_from_the_others() -> None:
    titles = ["red mug", "blue mug", "green mug", "red lamp", "blue lamp", "green lamps"]
    items = day_items(titles)  # colours are as common in both; of one stem the better one stays
    words = telling_words(items, np.array([0, 0, 0, 1, 1, 1]), 2)
    assert [found[0] for found in words] == ["mug", "lamp"]
    assert "lamps" not in words[1]


def test_words_of_the_brand_do_not_count() -> None:
    items = day_items(["Acme mug", "Acme cup"] * 2, brands=["ACME", "Acme", None, None])
    assert telling_words(items, np.array([0, 0, 1, 1]), 2) == [
        ["cup", "mug"],  # equal ones by alphabet
        ["acme"],  # seen twice, the others once
    ]


def test_topics_without_titles_have_no_words() -> None:
    assert telling_words(day_items([None, ""]), np.array([0, 1]), 2) == [[], []]
    assert telling_words(day_items(["mug", ""]), np.array([0, 1]), 2) == [["mug"], []]


def test_names_are_unique() -> None:
    words = [["a", "b", "c", "d"], ["a", "b", "c", "e"], ["a", "b", "c"], [], ["a", "b", "c"]]
    assert name_topics(words, [1, 2, 3, 4, 5], {}) == [
        "a · b · c",
        "a · b · c · e",
        "a · b · c 3",
        "topic 4",
        "a · b · c 5",
    ]


def test_a_kept_name_goes_before_a_new_one() -> None:
    words = [["mug"], ["mug", "cup"]]
    assert name_topics([["mug"], ["mug"]], [7, 8], {1: "mug"}) == ["mug 7", "mug"]
    assert name_topics(words, [7, 8], {0: "mug"}) == ["mug", "mug · cup"]


def test_commonest_values_by_number_then_alphabet() -> None:
    categories = ["Tea", "Tea", "Cups", "Art", None, " "]
    items = day_items([None] * 6, categories=categories)
    assert commonest(items, "category", np.array([0, 0, 0, 0, 1, 1]), 2) == [
        ["Tea", "Art", "Cups"],
        [],
    ]
