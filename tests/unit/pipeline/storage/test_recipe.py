"""What decides rows besides their inputs is noted as it was when they were made."""

from pipeline.runtime.settings import Settings
from pipeline.sources.landing import active_sources
from pipeline.storage import staging
from pipeline.storage.recipe import recipe_of
from pipeline.tables.registry import EVENTS, RAW_EVENTS, USER_FEATURES
from tests.unit.spark_jobs.landed_shop import TOML, open_shop


def test_a_source_file_that_changes_meanwhile_is_noted_as_it_was_read(home: Settings) -> None:
    open_shop(home, TOML)
    sources, before = active_sources(home), recipe_of(home, RAW_EVENTS.name)
    open_shop(home, TOML.replace('price = "CAST(price AS DOUBLE)"', 'price = "CAST(price AS DOUBLE) / 100"'))
    assert staging.begin(home, RAW_EVENTS.name, "r", sources=sources).recipe == before
    assert recipe_of(home, RAW_EVENTS.name) != before


def test_each_part_looks_at_its_own_keys_and_settings(home: Settings) -> None:
    open_shop(home, TOML)
    before = {table.name: recipe_of(home, table.name) for table in (RAW_EVENTS, EVENTS)}
    open_shop(home, TOML.replace("near_duplicate_seconds = 2", "near_duplicate_seconds = 5"))
    assert recipe_of(home, RAW_EVENTS.name) == before[RAW_EVENTS.name]
    assert recipe_of(home, EVENTS.name) != before[EVENTS.name]
    assert "sources" not in recipe_of(home, USER_FEATURES.name)
    stricter = home.model_copy(update={"max_price": 10.0})
    assert recipe_of(stricter, RAW_EVENTS.name) != before[RAW_EVENTS.name]
