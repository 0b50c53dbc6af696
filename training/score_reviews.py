"""Read the sentiment of review texts.

    python -m training.score_reviews --ds 2026-03-31 --run R

Reads the reviews among `events` of the `TIDEMARK_ACTIVE_DAYS` days up to the last day asked for; writes the staged
partition of `review_sentiments` of that day: one row per review, with or without text.
"""

import numpy as np
import polars as pl
import pyarrow.compute as pc

from pipeline.runtime import program
from pipeline.runtime.days import shift
from pipeline.runtime.program import add_range, arguments, wanted_days
from pipeline.runtime.settings import Settings, load_settings
from pipeline.storage import staging
from pipeline.storage.catalog import file_schema
from pipeline.storage.declared import arrow_rows
from pipeline.storage.files import write_day
from pipeline.storage.inputs import Inputs
from pipeline.storage.persons import persons_as_of
from pipeline.tables.interests import REVIEW_SENTIMENTS
from pipeline.tables.registry import EVENTS, IDENTITIES
from training.texts.sentiment import cross_sentiments, later_quality, on_scale

COLUMNS = ["ds", "platform", "event_id", "account_id", "item_id", "rating", "text"]


def main() -> None:
    parser = arguments(__doc__)
    add_range(parser)
    given = parser.parse_args()
    score_reviews(load_settings(), wanted_days(given)[-1], given.run)


def score_reviews(settings: Settings, ds: str, run: str) -> None:
    """Stages the sentiments as known at the end of `ds`."""
    inputs = Inputs.of(settings)
    reviews = _reviews(inputs, ds)
    rated = on_scale(reviews)
    found = cross_sentiments(reviews, rated)
    attempt = staging.begin(settings, REVIEW_SENTIMENTS.name, run, fence=inputs.fence)
    rows = reviews.with_columns(ds=pl.lit(ds), sentiment=pl.Series(np.round(found, 4)))
    schema = file_schema(settings, REVIEW_SENTIMENTS)
    table = rows.select(REVIEW_SENTIMENTS.schema.names).to_arrow()
    files = {ds: [write_day(attempt.day(ds), table, schema)]} if len(rows) else {}
    facts: dict[str, object] = {"rows": {ds: len(rows)}}
    staging.complete(attempt, [ds], files, inputs.as_json(), facts)
    quality = later_quality(rated) or "too few ratings to measure quality"
    print(f"review_sentiments ds={ds}: {len(rows)} reviews, {len(rated)} rated, {quality}")


def _reviews(inputs: Inputs, ds: str) -> pl.DataFrame:
    """The reviews of the window in a total order, by persons as known at `ds`; days before `ds` may be missing, as the
    log starts at some day."""
    settings = inputs.pins.settings
    inputs.open_day(EVENTS, ds)
    files = inputs.files(EVENTS.name, shift(ds, 1 - settings.active_days), ds)
    is_review, known_ds = pc.field("event_type") == "review", pc.field("known_ds")
    is_known = known_ds.is_null() | (known_ds <= ds)
    table = arrow_rows(EVENTS, files, COLUMNS, is_review & is_known)
    inputs.note(IDENTITIES.name, ds, ds)
    reviews = persons_as_of(settings, ds).of(pl.DataFrame(table))
    return reviews.with_columns(pl.col("text").fill_null("")).sort("event_id")


if __name__ == "__main__":
    program.run(main)
