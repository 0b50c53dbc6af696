"""Weeks of nights with maintenance; the year over all tables is `python -m tests.bench year`."""

from pipeline.runtime.settings import Settings
from pipeline.tables.registry import USER_HISTORY
from tests.bench.bench_year import nights


def test_a_table_of_states_stops_growing(home: Settings) -> None:
    few = home.model_copy(update={"keep": "user_history=3+1", "retention_days": 1})
    left = [
        (len(list(home.staging.rglob("*.parquet"))), len(list(home.warehouse.rglob("*.avro"))))
        for weight in nights(few, [USER_HISTORY], 35)
        if weight.night % 7 == 0
    ]
    assert left[2:] == [left[2]] * 3, left
