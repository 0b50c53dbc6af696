"""Find the interest topics of a day.

    python -m training.build_topics --ds 2011-11-09 --run R

Reads `items`, `item_embeddings` and `user_history` of the day, and `topics` and `item_topics` of the newest earlier
night; stages `topics` and `item_topics`. Items are clustered again on the first night of a week and when they have
changed a lot; otherwise new items join the existing topics.
"""

from pipeline.runtime import program
from pipeline.runtime.program import arguments
from pipeline.runtime.settings import Settings, load_settings
from pipeline.storage import staging
from pipeline.storage.catalog import file_schema
from pipeline.storage.files import write_day
from pipeline.storage.inputs import Inputs
from pipeline.storage.reading import open_manifests
from pipeline.storage.staging import Manifest
from pipeline.tables.interests import ITEM_TOPICS, TOPICS
from pipeline.tables.registry import ITEM_EMBEDDINGS, ITEMS, USER_HISTORY
from training.topics.co_engagement import co_engagement
from training.topics.day_items import item_vectors, read_items
from training.topics.lineage import read_earlier
from training.topics.placing import place_items
from training.topics.topic_rows import both_tables


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--ds", required=True, help="the day")
    given = parser.parse_args()
    build(load_settings(), given.ds, given.run)


def build(settings: Settings, ds: str, run: str, vectors: Manifest | None = None) -> None:
    """Stages both tables of one day; a day without items has no topics.

    `vectors`: item vectors that this run has staged, to be used in place of published ones; they are published first.
    """
    inputs = Inputs.of(settings)
    read = {table: inputs.open_day(table, ds) for table in (ITEMS, USER_HISTORY)}
    if vectors:
        inputs.note_staged(ITEM_EMBEDDINGS.name, vectors.attempt, ds, ds)
        read[ITEM_EMBEDDINGS] = open_manifests(ITEM_EMBEDDINGS, ds, [vectors])
    else:
        read[ITEM_EMBEDDINGS] = inputs.open_day(ITEM_EMBEDDINGS, ds)
    items = read_items(read[ITEM_EMBEDDINGS], read[ITEMS])
    tables, reason = (TOPICS.schema.empty_table(), ITEM_TOPICS.schema.empty_table()), "no items"
    if len(items):
        past = read_earlier(inputs, ds, items)
        whole = item_vectors(items.text, co_engagement(read[USER_HISTORY], ds, items.ids))
        placed = place_items(items, whole, past, ds, settings.topics)
        tables = both_tables(items, whole, past, placed, ds)
        reason = placed.reason or "items assigned only"
    for table, rows in zip((TOPICS, ITEM_TOPICS), tables, strict=True):
        attempt = staging.begin(settings, table.name, run, fence=inputs.fence)
        schema = file_schema(settings, table)
        files = {ds: [write_day(attempt.day(ds), rows, schema)]} if rows.num_rows else {}
        staging.complete(attempt, [ds], files, inputs.as_json(), {"rows": {ds: rows.num_rows}})
        print(f"{table.name} ds={ds}: {rows.num_rows} rows ({reason})")


if __name__ == "__main__":
    program.run(main)
