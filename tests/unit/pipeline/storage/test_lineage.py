"""What a catalogue was made of: the drops since the state that it went on from, and no others."""

from pipeline.runtime.settings import Settings
from pipeline.sources.landed_file import inspect
from pipeline.sources.landing import find_source
from pipeline.sources.ledger import entry
from pipeline.storage import staging
from pipeline.storage.catalog import file_schema
from pipeline.storage.files import write_day
from pipeline.storage.inputs import Inputs
from pipeline.storage.lineage import Lineage
from pipeline.storage.publish import publish
from pipeline.tables.registry import EVENTS, ITEMS
from tests.unit.pipeline.rows import whole_row
from tests.unit.spark_jobs.landed_shop import TOML, land, open_shop
from tests.unit.spark_jobs.published_rows import as_arrow, event, publish_rows

DAYS = ("2026-03-01", "2026-03-02")
DROPS = '\n[items]\npath = "shop/items/{ds}.csv"\nformat = "csv"\ncolumns = ["item"]\nitem_id = "item"\n'


def catalogue(settings: Settings, ds: str, before: str) -> None:
    """Publishes a day of items as the job does: on from the day before, events from that day on, the day's drop."""
    inputs, run = Inputs.of(settings), f"run-{ds}"
    if before:
        inputs.note(ITEMS.name, before, before)
    inputs.note(EVENTS.name, DAYS[0], ds)
    source = find_source(settings, "shop")
    assert source.items is not None
    path = settings.landing / "shop" / "items" / f"{ds}.csv"
    read = [entry(source, inspect(path, f"shop/items/{ds}.csv", ds, source.items, False))]
    attempt = staging.begin(settings, ITEMS.name, run, fence=inputs.fence)
    rows = as_arrow(ITEMS, [whole_row(ITEMS, ds=ds, item_id="shop:a")])
    file = write_day(attempt.day(ds), rows, file_schema(settings, ITEMS))
    staging.complete(attempt, [ds], {ds: [file]}, inputs.as_json(), None, read)
    content = {ds: {"rows": 1, "digest": ds}}
    staging.write_receipt(settings, staging.Receipt(ITEMS.name, run, {"all": attempt.path.name}, content, 0.0))
    publish(settings, ITEMS, run)


def test_a_catalogue_is_held_against_the_drops_that_it_was_made_of(home: Settings) -> None:
    open_shop(home, TOML + DROPS)
    for ds in DAYS:
        land(home, f"shop/items/{ds}.csv", "item\na\n")
    publish_rows(home, EVENTS, [event(f"{ds}T10:00") for ds in DAYS], list(DAYS))
    catalogue(home, DAYS[0], "")
    catalogue(home, DAYS[1], DAYS[0])
    assert Lineage(home, [ITEMS.name]).stale == []
    land(home, f"shop/items/{DAYS[1]}.csv", "item\nb\n")
    found = [str(it) for it in Lineage(home, [ITEMS.name]).stale]
    assert found == [f"items ds={DAYS[1]}: shop/items/{DAYS[1]}.csv changed since it was read"]
    land(home, f"shop/items/{DAYS[0]}.csv", "item\nbb\n")
    found = [str(it) for it in Lineage(home, [ITEMS.name]).stale]
    assert f"items ds={DAYS[0]}: shop/items/{DAYS[0]}.csv changed since it was read" in found
