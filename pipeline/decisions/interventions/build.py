"""List whom to address tomorrow, why, and what to do.

    python -m pipeline ads interventions --ds 2026-03-31 --run R

Reads `$TIDEMARK_HOME/interventions.toml`, `user_features` of the day, `events`, `items` and earlier `interventions`;
writes a staged partition of `interventions`, empty without the file. A file that is wrong ends it: yesterday's list
stays in place.
"""

import pyarrow as pa

from pipeline.decisions.interventions.choose import choose
from pipeline.decisions.interventions.declaration import FILE, load_declaration
from pipeline.decisions.interventions.views import open_views
from pipeline.decisions.people import audience_of_lists
from pipeline.runtime.settings import Settings
from pipeline.storage import staging
from pipeline.storage.catalog import file_schema
from pipeline.storage.files import write_day
from pipeline.storage.reading import scan
from pipeline.tables.interventions import INTERVENTIONS


def build(settings: Settings, ds: str, run: str) -> None:
    """Stages the day's interventions."""
    scan("user_features", ds, settings)  # published, or the message says what is missing
    rows, inputs = _listed(settings, ds)
    attempt = staging.begin(settings, INTERVENTIONS.name, run)
    schema = file_schema(settings, INTERVENTIONS)
    paths = [write_day(attempt.day(ds), pa.Table.from_pylist(rows, schema), schema)] if rows else []
    staging.complete(attempt, [ds], {ds: paths}, inputs, {"rows": {ds: len(rows)}})
    held_out = sum(bool(row["held_out"]) for row in rows)
    print(f"interventions ds={ds}: {len(rows)} users, {held_out} of them held out")


def _listed(settings: Settings, ds: str) -> tuple[list[dict[str, object]], dict[str, int]]:
    """The rows, and the snapshots that they were made of."""
    declaration = load_declaration(settings)
    if declaration is None:
        print(f"interventions ds={ds}: without {FILE} nobody has consented")
        return [], {}
    audience = audience_of_lists(declaration.people, settings, ds)
    with open_views(settings, ds, declaration.days_back, declaration.cool_down_days) as views:
        return choose(declaration, audience, views, ds), views.inputs
