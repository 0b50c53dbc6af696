"""Encode the texts of items.

    python -m training.encode_items --from 2011-11-07 --to 2011-11-09 --run R

Reads `items` of the published days and the newest earlier `item_embeddings`; writes staged partitions of
`item_embeddings`. Only texts that are new to the encoder are encoded.
"""

import numpy as np
import pyarrow as pa

from pipeline.runtime import program
from pipeline.runtime.errors import NotPublishedError
from pipeline.runtime.program import add_range, arguments, wanted_days
from pipeline.runtime.settings import Settings, load_settings
from pipeline.storage import staging
from pipeline.storage.catalog import file_schema
from pipeline.storage.files import write_day
from pipeline.storage.reading import open_day, published
from pipeline.storage.staging import Manifest
from pipeline.tables.registry import ITEM_EMBEDDINGS, ITEMS
from training.texts.adapted import Promotion, promoted
from training.texts.encoders import open_encoder
from training.texts.item_texts import Encoder, embed_items, known_vectors, texts_of


def main() -> None:
    parser = arguments(__doc__)
    add_range(parser)
    given = parser.parse_args()
    encode(load_settings(), wanted_days(given), given.run)


def encode(settings: Settings, wanted: list[str], run: str) -> Manifest:
    """Stages the days of `wanted` whose `items` are published."""
    days = [ds for ds in wanted if ds in published(ITEMS.name, settings)]
    if not days:
        raise NotPublishedError(f"items: no day of {wanted[0]}..{wanted[-1]} is published")
    earlier = _latest_before(settings, days[0])
    encoders: dict[Promotion | None, tuple[Encoder, dict[str, np.ndarray]]] = {}  # with the vectors that each knows
    attempt = staging.begin(settings, ITEM_EMBEDDINGS.name, run)
    schema, files, facts, inputs = file_schema(settings, ITEM_EMBEDDINGS), {}, {}, {}
    for ds in days:
        chosen = promoted(settings, ds)
        if chosen not in encoders:
            opened = open_encoder(settings, lambda: texts_of(open_day(settings, ITEMS, days[-1])[1].to_table()), ds)
            encoders[chosen] = opened, known_vectors(earlier, opened.version)
        encoder, known = encoders[chosen]
        inputs[ITEMS.name], items = open_day(settings, ITEMS, ds)
        table, fresh = embed_items(items.to_table(), known, ds, encoder)
        files[ds] = [write_day(attempt.day(ds), table, schema)] if table.num_rows else []
        facts[ds] = items.count_rows()
        print(f"item_embeddings ds={ds}: {facts[ds]} items, {fresh} texts encoded")
    return staging.complete(attempt, days, files, inputs, {"rows": facts})


def _latest_before(settings: Settings, ds: str) -> pa.Table:
    earlier = [day for day in published(ITEM_EMBEDDINGS.name, settings) if day < ds]
    if not earlier:
        return ITEM_EMBEDDINGS.schema.empty_table()
    return open_day(settings, ITEM_EMBEDDINGS, earlier[-1])[1].to_table()


if __name__ == "__main__":
    program.run(main)
