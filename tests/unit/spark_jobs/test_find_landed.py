"""Which landed records are a person's, as ingest reads them."""

import json

import pytest
from pyspark.sql import SparkSession

from pipeline.runtime.settings import Settings
from spark_jobs.landing.records_of import find_landed
from tests.unit.spark_jobs.erasable import user

pytestmark = pytest.mark.spark
ANNA, BOB = "anna.b@example.org", "bob-0815"
SOURCE = """
platform = "shop"
timezone = "UTC"
[delivery]
path = "shop/{ds}"
format = "jsonl"
columns = ["lines"]
rows = "lines"
[event]
user_id = "element.who"
item_id = "element.item"
event_type = "'view'"
event_time = "now()"
"""


def test_records_that_are_shared_and_addresses_in_any_case(home: Settings, spark: SparkSession) -> None:
    home.sources.mkdir()
    (home.sources / "shop.toml").write_text(SOURCE)
    (home.landing / "shop").mkdir()
    landed = [[ANNA], [BOB], [BOB, ANNA], [ANNA.upper(), ANNA]]
    lines = [json.dumps({"lines": [{"who": who, "item": "mug"} for who in record]}) for record in landed]
    (home.landing / "shop" / "2011-03-01").write_text("\n".join(lines))
    found = find_landed(spark, home, [user(home, ANNA)], {"shop/2011-03-01"}, [f"shop:{ANNA}"])
    told = sorted((it["line"], it["raw_id"], it["shared"]) for it in found)
    assert told == [(1, ANNA, False), (3, ANNA, True), (4, ANNA.upper(), False), (4, ANNA, False)]
