"""Two real days of Online Retail against counts made by plain SQL over the files."""

import shutil

import duckdb
import pytest
from pyspark.sql import SparkSession

from pipeline.runtime.settings import Settings
from tests.real_data import folder_of, needs
from tests.unit.spark_jobs.landed_shop import rows_of, run_clean, run_ingest

pytestmark = [pytest.mark.spark, pytest.mark.realdata]
DATA = folder_of("online_retail")
COUNTS = """
WITH landed AS (SELECT * FROM read_csv('{}', all_varchar = true, header = true)),
judged AS (
  SELECT *, CASE
    WHEN InvoiceNo LIKE 'A%' THEN 'adjustment'
    WHEN NOT regexp_full_match(upper(StockCode), '[0-9]{{5}}[A-Z]*') THEN 'not_a_product'
    WHEN UnitPrice::DOUBLE <= 0 THEN 'price_not_positive'
    WHEN Quantity::DOUBLE <= 0 AND InvoiceNo NOT LIKE 'C%' THEN 'quantity_not_positive'
    WHEN CustomerID IS NULL THEN 'missing_user_id' END AS reason
  FROM landed)
SELECT count(*),
  (SELECT count(*) FROM (SELECT DISTINCT InvoiceNo, upper(StockCode), Quantity, InvoiceDate,
     UnitPrice, CustomerID, Country FROM judged WHERE reason IS NULL)),
  count(reason)
FROM judged
"""


@needs("online_retail")
def test_two_days(spark: SparkSession, home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    days = ["2011-11-06", "2011-11-07"]
    (home.landing / "online_retail").mkdir()
    for ds in days:
        shutil.copy(DATA / f"{ds}.csv.gz", home.landing / "online_retail")
    run_ingest(monkeypatch, "2011-11-05", days[-1])  # a Saturday: closed
    run_clean(monkeypatch, "2011-11-05", days[-1])
    found = rows_of("accounting", "ds", "rows_landed", "events", "duplicates", "quarantined")
    assert found[0] == ("2011-11-05", 0, 0, 0, 0)
    for ds, landed, events, duplicates, quarantined in found[1:]:
        query = COUNTS.format(DATA / f"{ds}.csv.gz")
        assert duckdb.sql(query).fetchall() == [(landed, events, quarantined)]
        assert duplicates == landed - events - quarantined
