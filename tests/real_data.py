"""Where tests and benches find real logs, and what they say when these are missing."""

import os
import sys
from pathlib import Path

import pytest

FOLDER = Path(os.environ.get("TIDEMARK_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
GET = {
    "online_retail": (
        "UCI Online Retail (archive.ics.uci.edu, dataset 352, CC BY 4.0) as CSV, cut into days by "
        "`python -m pipeline source import online_retail FILE`, to YYYY-MM-DD.csv.gz"
    ),
    "open_bandit_women": (
        "the small sample of the Open Bandit Dataset (github.com/st-tech/zr-obp, campaign women, CC BY 4.0): "
        "random.csv.gz and bts.csv.gz, and item_context.csv"
    ),
    "amazon_beauty": (
        "Amazon Beauty, 5-core (https://jmcauley.ucsd.edu/data/amazon/): interactions.parquet with user, item, ts "
        "(epoch seconds), and titles.parquet with ItemID, Title"
    ),
    "amazon_electronics": (
        "Amazon Electronics, 5-core (https://jmcauley.ucsd.edu/data/amazon/): interactions.parquet with user, item, ts "
        "(epoch seconds), and titles.parquet with ItemID, Title"
    ),
    "steam": (
        "Steam reviews (https://cseweb.ucsd.edu/~jmcauley/datasets.html#steam_data): interactions.parquet with user, "
        "item, ts (epoch seconds), and titles.parquet with ItemID, Title"
    ),
    "retail_rocket": (
        "RetailRocket (https://www.kaggle.com/datasets/retailrocket/ecommerce-dataset): events.parquet with user, "
        "item, ts (epoch seconds), event"
    ),
    "tmall": (
        "Taobao user behaviour (https://tianchi.aliyun.com/dataset/649): events.parquet with user, item, ts (epoch "
        "seconds), event (buy, cart, fav)"
    ),
}


def folder_of(name: str) -> Path:
    return FOLDER / name


def needs(name: str) -> pytest.MarkDecorator:
    """Skips where the data set is not there, and says how to get it."""
    return pytest.mark.skipif(not folder_of(name).is_dir(), reason=how_to_get(name))


def real_data(name: str) -> Path:
    """The folder of a data set, for a bench. Ends it where the set is missing, and says how to get it."""
    if not folder_of(name).is_dir():
        sys.exit(f"error: {how_to_get(name)}")
    return folder_of(name)


def how_to_get(name: str) -> str:
    return (
        f"no real data in {folder_of(name)}: get {GET[name]}; put the files into DIR/{name} and "
        "set TIDEMARK_TEST_DATA=DIR"
    )
