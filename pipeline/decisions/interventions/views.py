"""The tables of a night as DuckDB's views, with the contacts of the days before. Users are persons as known then."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb

from pipeline.runtime.days import shift
from pipeline.runtime.settings import Settings
from pipeline.storage.declared import duckdb_sql
from pipeline.storage.persons import persons_as_of
from pipeline.storage.reading import pinned_files
from pipeline.tables.interventions import INTERVENTIONS
from pipeline.tables.registry import EVENTS, ITEMS, USER_FEATURES
from pipeline.tables.schema import Table

MEMORY = "1GB"  # beyond it DuckDB spills
WEEK = 7
FEATURES = (
    "user_id",
    "recency_days",
    "p_return_28d",
    "p_purchase_7d",
    "usual_gap_days",
    "is_regular",
    "fading",
    "anomaly_reason",
    "due_again",
)
ACTS = ("ds", "account_id", "item_id", "event_type", "event_id", "event_time", "quantity", "price", "campaign_id")
# An account that is nobody's stands for itself; one that has joined a person since it was contacted counts as theirs.
OF_PERSONS = """
CREATE VIEW events AS
SELECT acts.* EXCLUDE (account_id), coalesce(persons.user_id, acts.account_id) AS user_id
FROM acts LEFT JOIN persons USING (account_id);
CREATE VIEW earlier AS
SELECT listed.* EXCLUDE (user_id), coalesce(persons.user_id, listed.user_id) AS user_id
FROM listed LEFT JOIN persons ON persons.account_id = listed.user_id
"""
# An impression of an ad is a contact of its day, an intervention of a night one of the day after.
CONTACTS = """
CREATE TEMP TABLE contacts AS
SELECT user_id, count(*) AS of_six_days, count(*) FILTER (on_newest_day) AS of_newest_day FROM (
    SELECT user_id, ds = $ds AS on_newest_day FROM events
    WHERE event_type = 'impression' AND campaign_id IS NOT NULL AND ds >= $six_days
    UNION ALL
    SELECT user_id, ds = $night_before FROM earlier WHERE ds >= $six_nights
) GROUP BY user_id
"""


@dataclass(frozen=True)
class Views:
    """`features`, `events`, `prices`, `earlier` (interventions), and the table `contacts`.

    `inputs` are the snapshots that they show.
    """

    database: duckdb.DuckDBPyConnection
    inputs: dict[str, int]


@contextmanager
def open_views(settings: Settings, ds: str, days: int, cool_down_days: int) -> Iterator[Views]:
    """The night of `ds`; events and prices reach back `days`, interventions `cool_down_days`."""
    with duckdb.connect() as database:
        database.execute(f"SET memory_limit = '{MEMORY}'")
        database.execute("SET temp_directory = ?", [str(settings.home / "tmp")])
        views = Views(database, {})
        first, night_before = shift(ds, -max(days, WEEK)), shift(ds, -1)
        long_ago = shift(ds, -max(cool_down_days, WEEK))
        _view(views, settings, "features", USER_FEATURES, FEATURES, ds, ds)
        _view(views, settings, "acts", EVENTS, ACTS, first, ds)
        _view(views, settings, "prices", ITEMS, ("ds", "item_id", "price"), first, ds)
        _view(views, settings, "listed", INTERVENTIONS, ("ds", "user_id", "kind"), long_ago, night_before)
        persons = persons_as_of(settings, ds)
        persons.view(database)
        views.inputs.update(persons.inputs)
        database.execute(OF_PERSONS)
        window = {"six_days": shift(ds, 2 - WEEK), "six_nights": shift(ds, 1 - WEEK)}
        database.execute(CONTACTS, {"ds": ds, "night_before": night_before, **window})
        yield views


def _view(
    views: Views,
    settings: Settings,
    name: str,
    table: Table,
    columns: tuple[str, ...],
    first: str,
    last: str,
) -> None:
    """The columns of the days of a table; without files no rows of the declared types."""
    snapshot, files = pinned_files(table.name, first, last, settings)
    if snapshot:
        views.inputs[table.name] = snapshot
    views.database.execute(f"CREATE VIEW {name} AS {duckdb_sql(views.database, table, files, columns)}")
