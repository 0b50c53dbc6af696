"""The catalogue: merged night by night, it equals the rebuild; cases show the rules."""

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.runtime.days import day_range
from pipeline.tables.registry import ITEMS
from spark_jobs.states.items import DROP, EVENT_ROWS, PAST, catalogue
from tests.unit.spark_jobs.published_rows import Row, as_polars

DAYS = day_range("2011-03-01", "2011-03-05")

told = st.fixed_dictionaries(
    {
        "item_id": st.sampled_from(["shop:a", "shop:b"]),
        "ds": st.sampled_from(DAYS),
        "origin": st.sampled_from([EVENT_ROWS, DROP]),
        "title": st.sampled_from([None, "Mug", "Cup"]),
        "price": st.sampled_from([None, 1.0, 2.0]),
    }
)
logs = st.lists(told, min_size=1, unique_by=lambda row: (row["item_id"], row["ds"], row["origin"]))


def merged(rows: list[Row], days: list[str], past: pl.DataFrame | None = None) -> pl.DataFrame:
    """`days` of the catalogue from the columns that the kernel gets."""
    origins = pl.Series("origin", [row["origin"] for row in rows], pl.Int32)
    new = as_polars(ITEMS, [{"platform": "shop", **row} for row in rows]).with_columns(origins)
    if past is not None:
        new = pl.concat([past.with_columns(origin=pl.lit(PAST, pl.Int32)), new])
    return catalogue(new, days).select(ITEMS.schema.names).sort("ds", "item_id")


@given(logs)
@settings(max_examples=100, deadline=None)
def test_incremental_equals_rebuild_and_range(rows: list[Row]) -> None:
    past, nights = None, []
    for ds in DAYS:
        past = merged([row for row in rows if row["ds"] == ds], [ds], past)
        nights += past.to_dicts()
    assert nights == merged(rows, DAYS).to_dicts()


@given(logs)
@settings(max_examples=50, deadline=None)
def test_newest_value_wins_and_the_drop_within_a_day(rows: list[Row]) -> None:
    last = merged(rows, [DAYS[-1]])
    for item in last.to_dicts():
        mine = sorted(
            (row for row in rows if row["item_id"] == item["item_id"]),
            key=lambda row: (row["ds"], row["origin"]),
        )
        titles = [row["title"] for row in mine if row["title"]]
        assert item["title"] == (titles[-1] if titles else None)
        assert item["first_ds"] == mine[0]["ds"]


def test_updated_ds_is_the_day_of_the_last_change() -> None:
    row = {"item_id": "shop:a", "origin": EVENT_ROWS, "title": "Mug"}
    told = [("2011-03-01", 1.0), ("2011-03-02", 2.0), ("2011-03-03", None), ("2011-03-04", 2.0)]
    states = merged([{**row, "ds": ds, "price": price} for ds, price in told], DAYS)
    assert states["updated_ds"].to_list() == ["2011-03-01"] + ["2011-03-02"] * 4
    assert states["price"].to_list() == [1.0, 2.0, 2.0, 2.0, 2.0]
    assert states["first_ds"].unique().to_list() == ["2011-03-01"]
