"""Where real data sets lie, and how to get those that are not there."""

import os
import sys
from pathlib import Path

ROOT = Path(os.environ.get("TIDEMARK_TEST_DATA", "../shared/data"))
SOURCES = {
    "amazon_beauty": (
        "Amazon Beauty, 5-core (https://jmcauley.ucsd.edu/data/amazon/): interactions.parquet with user, item, ts "
        "(epoch seconds), and titles.parquet with ItemID, Title"
    ),
    "open_bandit_women": (
        "Open Bandit Dataset, campaign women, small sample (https://github.com/st-tech/zr-obp, folder obd/): the log "
        "of the random policy as random.csv.gz, and item_context.csv"
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


def real_data(name: str) -> Path:
    """The folder of a data set. Ends the bench where it is missing, and says how to get it."""
    folder = ROOT / name
    if not folder.is_dir():
        sys.exit(
            f"error: expected real data in {folder}, found none; get it, or set TIDEMARK_TEST_DATA to the "
            f"folder above it. {name} is {SOURCES[name]}"
        )
    return folder
