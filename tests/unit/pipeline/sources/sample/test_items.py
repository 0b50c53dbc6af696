"""Items look like goods of a shop: titles, prices, new ones daily, companions of their group."""

import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.sources.sample.items import (
    ALWAYS,
    COMPANIONS,
    LARGEST_GROUP,
    STARTERS,
    TWIN_SHARE,
    Catalogue,
    plant_items,
)
from pipeline.sources.sample.topics import TOPICS
from tests.unit.pipeline.sources.sample.conftest import truth


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return plant_items(np.random.default_rng(1), 1_500, 60)


def test_there_are_words_for_the_largest_group() -> None:
    for topic in TOPICS:
        words = (topic.brands, topic.styles, topic.things, topic.variants)
        titles = np.prod([len(set(w)) for w in words])
        assert titles >= LARGEST_GROUP * (2 - TWIN_SHARE), topic.name


def test_titles_are_unique_on_a_platform_and_partly_shared(catalogue: Catalogue) -> None:
    titles = np.array(catalogue.title)
    shop, market = (set(titles[catalogue.platform == p]) for p in (0, 1))
    assert len(shop) == (catalogue.platform == 0).sum()
    assert len(market) == (catalogue.platform == 1).sum()
    assert len(shop & market) / len(shop) == pytest.approx(TWIN_SHARE, abs=0.03)


def test_prices_are_sane_and_follow_the_topic(catalogue: Catalogue) -> None:
    assert catalogue.price.min() >= 99
    assert catalogue.price.max() < 200_000
    assert set(catalogue.price % 10) == {9}
    for number, topic in enumerate(TOPICS):
        median = np.median(catalogue.price[catalogue.topic == number]) / 100
        assert median == pytest.approx(topic.median_price, rel=0.4), topic.name


def test_a_quarter_of_the_items_is_new_and_starters_are_not(catalogue: Catalogue) -> None:
    assert (catalogue.first_day > 0).mean() == pytest.approx(0.25, abs=0.05)
    for low in catalogue.bounds[:-1]:
        assert (catalogue.first_day[low : low + STARTERS] == ALWAYS).all()


def test_companions_are_other_items_of_the_group(catalogue: Catalogue) -> None:
    assert catalogue.companions.shape == (len(catalogue), COMPANIONS)
    assert (catalogue.companions != np.arange(len(catalogue))[:, None]).all()
    assert (catalogue.topic[catalogue.companions] == catalogue.topic[:, None]).all()
    assert (catalogue.platform[catalogue.companions] == catalogue.platform[:, None]).all()


def test_only_items_of_the_day_and_the_topic_are_drawn(catalogue: Catalogue) -> None:
    rng = np.random.default_rng(2)
    topic = rng.integers(0, len(TOPICS), 5_000)
    drawn = catalogue.draw(rng, catalogue.popularity(20, 60), 1, topic)
    assert (catalogue.topic[drawn] == topic).all()
    assert (catalogue.platform[drawn] == 1).all()
    assert (catalogue.first_day[drawn] <= 20).all()
    assert (catalogue.first_day[drawn] > 0).any()


def test_the_first_file_is_the_catalogue_and_new_items_come_daily(sample: Path) -> None:
    items = truth(sample, "items").filter(pl.col("platform") == "webshop")
    first = listed(sample, "2026-01-31")
    assert set(first) == set(items.filter(pl.col("first_ds") == "2026-01-31")["raw_id"])
    arrivals = items.filter(pl.col("first_ds") > "2026-01-31")
    assert arrivals["first_ds"].n_unique() > 30
    for ds, raw_id in arrivals.select("first_ds", "raw_id").iter_rows():
        assert raw_id in listed(sample, ds)


def listed(sample: Path, ds: str) -> list[str]:
    text = gzip.decompress((sample / "webshop" / "items" / f"{ds}.jsonl.gz").read_bytes())
    return pl.read_ndjson(text)["sku"].to_list() if text else []
