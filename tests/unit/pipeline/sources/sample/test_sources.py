"""The sources of the sample name exactly the fields that its files hold."""

import csv
import gzip
import json
import tomllib
from pathlib import Path

import pytest

from pipeline.sources.sample import generate

WITH_PICTURES = {"image"}  # told only where pictures are drawn
SOURCES = Path(__file__).parents[5] / "pipeline" / "sources"


@pytest.mark.parametrize("platform", ["webshop", "marketplace"])
def test_columns_are_those_of_the_files(sample: Path, platform: str) -> None:
    source = tomllib.loads((SOURCES / f"{platform}.toml").read_text())
    assert {"user_id", "item_id", "event_type", "event_time"} <= source["event"].keys()
    for drop in (source["delivery"], source["items"]):
        path = sample / drop["path"].format(ds="2026-01-31")
        always = [name for name in drop["columns"] if name not in WITH_PICTURES]
        assert fields(path, drop["format"]) == always


def test_pictures_add_their_column(tmp_path: Path) -> None:
    generate(tmp_path, events=500, days=1, seed=1, pictures=True)
    drop = tomllib.loads((SOURCES / "webshop.toml").read_text())["items"]
    path = tmp_path / drop["path"].format(ds="2026-03-31")
    assert fields(path, drop["format"]) == drop["columns"]
    assert set(drop["columns"]) > WITH_PICTURES


def fields(path: Path, kind: str) -> list[str]:
    with gzip.open(path, "rt", newline="") as file:
        return list(json.loads(file.readline())) if kind == "jsonl" else next(csv.reader(file))


@pytest.mark.parametrize("platform", ["webshop", "marketplace"])
def test_every_event_word_is_mapped(sample: Path, platform: str) -> None:
    source = tomllib.loads((SOURCES / f"{platform}.toml").read_text())
    words = {
        "webshop": {
            "shown",
            "product_view",
            "site_search",
            "basket_add",
            "wishlist_add",
            "ordered",
            "refunded",
            "reviewed",
        },
        "marketplace": {"imp", "click", "query", "cart", "save", "buy", "return", "feedback"},
    }[platform]
    for word in words:
        assert f"WHEN '{word}' THEN" in source["event"]["event_type"]
