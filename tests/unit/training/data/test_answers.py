"""Which items are right answers, by the factory's events."""

import numpy as np
import pyarrow as pa

from pipeline.runtime.days import shift
from pipeline.tables.registry import TRAINING_EXAMPLES
from tests.unit.training.factory import DS, embeddings, event, example, item_rows, user_id
from training.data.answers import answers_of, rows_with_answers
from training.data.catalogue import build_catalogue
from training.data.users import Examples, to_examples

CUT = shift(DS, -28)


def window() -> Examples:
    """User 0 turns to items 1 (known), 2 twice and 3; user 1 only returns; user 2 views item 1."""
    lives = [
        [
            event("shop:001", "view", shift(CUT, -3)),
            event("shop:001", "purchase", shift(CUT, 1)),
            event("shop:002", "view", shift(CUT, 7)),
            event("shop:002", "view", shift(CUT, 9)),
            event("shop:003", "cart", shift(CUT, 20)),
        ],
        [event("shop:001", "view", shift(CUT, -3)), event("shop:001", "return", shift(CUT, 2))],
        [event("shop:000", "view", shift(CUT, -3)), event("shop:001", "view", shift(CUT, 2))],
    ]
    rows = [example(user_id(n), life, CUT, "test") for n, life in enumerate(lives)]
    table = pa.Table.from_pylist(rows, schema=TRAINING_EXAMPLES.schema)
    return to_examples(table, build_catalogue(embeddings(4), item_rows(4)))


def test_engaged_items_are_answers_each_counted_once() -> None:
    examples = window()
    rows = rows_with_answers(examples)
    assert rows.tolist() == [0, 2]
    answers = answers_of(examples, rows, 4)
    assert answers.number.tolist() == [3, 1]
    assert answers.dense(0, 2).tolist() == [[False, True, True, True], [False, True, False, False]]
    assert answers.dense(1, 2).tolist() == [[False, True, False, False]]


def test_hits_follow_the_places() -> None:
    examples = window()
    answers = answers_of(examples, np.array([0, 2]), 4)
    places = np.array([[0, 3, -1], [1, 2, 0]])
    assert answers.hits(places).tolist() == [[False, True, False], [True, False, False]]
    assert not answers.among(np.zeros(4, dtype=bool)).hits(places).any()


def test_weeks_items_and_what_is_new_to_the_user() -> None:
    examples, rows = window(), np.array([0, 2])
    answers = answers_of(examples, rows, 4)
    assert answers.within(1, 7).number.tolist() == [2, 1]
    assert answers.within(8, 14).number.tolist() == [1, 0]
    assert answers.within(15, 28).number.tolist() == [1, 0]
    assert answers.among(np.array([False, True, False, False])).number.tolist() == [1, 1]
    assert answers.new_to(examples.past, rows).number.tolist() == [2, 1]
