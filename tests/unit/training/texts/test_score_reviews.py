"""Sentiment of reviews: learned from ratings, read from the text alone, defined for any text."""

from hashlib import md5

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from pipeline.runtime.days import shift
from pipeline.runtime.errors import NotPublishedError
from pipeline.runtime.settings import Settings
from pipeline.storage import staging
from pipeline.storage.reading import read
from pipeline.tables.interests import REVIEW_SENTIMENTS
from pipeline.tables.registry import EVENTS
from tests.unit.training.factory import DS, publish_day, vouch
from training.score_reviews import score_reviews
from training.texts.sentiment import FEWEST, later_quality, on_scale

GOOD = ("very good mug", "とても良いカップ", "كوب رائع جدا", "👍 lovely 🎉")
BAD = ("broken and bad", "壊れていて最悪", "سيء ومكسور", "👎 awful 💔")
ID = [md5(str(number).encode()).hexdigest() for number in range(2000)]
USER = "0123456789abcdef0123456789abcdef"


def review(number: int, text: str | None, rating: float | None, ds: str = DS) -> dict:
    return {
        "ds": ds,
        "platform": "shop",
        "event_id": ID[number],
        "account_id": USER,
        "item_id": "shop:1",
        "event_type": "review",
        "arrival_ds": ds,
        "text": text,
        "rating": rating,
        "event_time": np.datetime64(ds).astype("datetime64[us]").item(),
    }


def rated(number: int) -> list[dict]:
    """As many good reviews as bad ones, in four scripts, each text a little different."""
    return [review(n, f"{(BAD, GOOD)[n % 2][n // 2 % 4]} {n}", 1.0 + 4 * (n % 2)) for n in range(number)]


def scored(home: Settings, rows: list[dict], ds: str = DS) -> dict[int, float]:
    publish_day(home, "events", pa.Table.from_pylist(rows, schema=EVENTS.schema))
    score_reviews(home, ds, "s")
    vouch(home, "review_sentiments", "s")
    found = read("review_sentiments", ds, home).to_pylist()
    return {ID.index(row["event_id"]): row["sentiment"] for row in found}


def test_good_and_bad_are_told_in_any_script(home: Settings) -> None:
    asked = [review(1000 + n, text, None) for n, text in enumerate(GOOD + BAD)]
    found = scored(home, rated(400) + asked)
    assert len(found) == 408
    assert min(found[1000 + n] for n in range(4)) > 0.5
    assert max(found[1004 + n] for n in range(4)) < -0.5


def test_a_text_that_tells_nothing_is_neutral(home: Settings) -> None:
    texts = [None, "", "   ", "Ж" * 40]
    found = scored(home, rated(400) + [review(1000 + n, t, 5.0) for n, t in enumerate(texts)])
    assert [found[1000 + n] for n in range(4)] == [0.0] * 4


def test_a_rating_does_not_tell_its_own_sentiment(home: Settings) -> None:
    """A review with a word of its own and a rating against its text goes by the text."""
    found = scored(home, [*rated(400), review(1001, "very good mug xyzzy", 1.0)])
    assert found[1001] > 0.5


def test_too_few_ratings_are_neutral_and_quality_is_not_made_up(home: Settings) -> None:
    found = scored(home, rated(FEWEST - 1))
    assert set(found.values()) == {0.0}
    assert later_quality(on_scale(pl.DataFrame(rated(FEWEST - 1)))) == {}


def test_later_reviews_are_foretold() -> None:
    rows = [{**row, "ds": shift(DS, n // 10)} for n, row in enumerate(rated(400))]
    assert later_quality(on_scale(pl.DataFrame(rows)))["auc"] == 1.0


@pytest.mark.parametrize(
    ("ratings", "expected"),
    [
        ((1.0, 3.0, 5.0), [-1.0, 0.0, 1.0]),
        ((0.0, 10.0), [-1.0, 1.0]),
        ((5.5, 10.0), [0.0, 1.0]),
        ((4.0, 5.0), [0.5, 1.0]),
        ((50.5, 100.0), [0.0, 1.0]),
        ((float("nan"), 5.0), [1.0]),
    ],
)
def test_scales(ratings: tuple[float, ...], expected: list[float]) -> None:
    rows = pl.DataFrame([review(n, "a", rating) for n, rating in enumerate(ratings)])
    assert on_scale(rows)["target"].sort().to_list() == expected


def test_a_night_without_events_keeps_the_window(home: Settings) -> None:
    publish_day(home, "events", pa.Table.from_pylist(rated(400), schema=EVENTS.schema))
    staging.complete(staging.begin(home, "events", "e"), [shift(DS, 1)], {})
    vouch(home, "events", "e")
    score_reviews(home, shift(DS, 1), "s")
    vouch(home, "review_sentiments", "s")
    assert read("review_sentiments", shift(DS, 1), home).num_rows == 400


def test_no_review_at_all_is_an_empty_day(home: Settings) -> None:
    assert scored(home, [{**review(0, None, None), "event_type": "view"}]) == {}


def test_an_unpublished_day_is_refused(home: Settings) -> None:
    with pytest.raises(NotPublishedError, match=f"events ds={DS}: not published"):
        score_reviews(home, DS, "s")


def test_the_same_rows_give_the_same_sentiments(home: Settings) -> None:
    first = scored(home, rated(400))
    score_reviews(home, DS, "again")
    vouch(home, "review_sentiments", "again")
    found = read(REVIEW_SENTIMENTS.name, DS, home).to_pylist()
    assert {ID.index(row["event_id"]): row["sentiment"] for row in found} == first
