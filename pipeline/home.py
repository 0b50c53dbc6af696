"""The Python door to a home: everything that readers of Tidemark's tables need, behind one object.

    import pipeline
    home = pipeline.open()                      # the home of TIDEMARK_HOME, or pipeline.open("/path")
    home.read("user_features", ds="2026-03-31") # Arrow

Nothing heavy is imported before it is used: `import pipeline` brings neither Arrow nor Iceberg.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pyarrow as pa
    from feast import FeatureStore
    from pyiceberg.table import DataScan

    from pipeline.features.online.store import OnlineStore
    from pipeline.report.story.facts import Facts
    from pipeline.runtime.settings import Settings
    from pipeline.storage.history import Entry
    from pipeline.storage.night import Night


@dataclass(frozen=True)
class TableState:
    """A declared table and what is published of it.

    `columns`: names, in their declared order. `days`: rows of each published day, oldest first.
    `is_state`: each day holds the whole state, so that rows of several days do not add up.
    """

    name: str
    meaning: str
    columns: tuple[str, ...]
    is_state: bool
    days: dict[str, int]


class Home:
    """A home and what can be read of it. Made by `pipeline.open`; safe to keep, cheap to make.

    Every read sees one snapshot: what is published meanwhile is not seen. All errors are
    `pipeline.runtime.errors.TidemarkError`s whose message says what to do.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __repr__(self) -> str:
        return f"pipeline.open({str(self.settings.home)!r})"

    def read(self, table: str, ds: str | None = None, columns: Sequence[str] | None = None) -> pa.Table:
        """Rows of a table as Arrow, in the declared types: of one day, or of all published days.

            home.read("user_features", ds="2026-03-31", columns=["user_id", "recency_days"])

        ds: `YYYY-MM-DD`. columns: names in the order wanted; only these are read. All when left out;
        a column that was declared after a day was published is null there. Units and ranges of
        each column: `home.tables()`, docs/reference/features.md.

        Raises UsageError for an unknown table or column, NotPublishedError when the day is not there.
        """
        from pipeline.runtime.errors import UsageError
        from pipeline.storage.reading import as_declared
        from pipeline.tables.registry import table_named

        declared = table_named(table)
        unknown = sorted(set(columns or ()) - {column.name for column in declared.columns})
        if unknown:
            raise UsageError(f"columns: {table} has no {', '.join(unknown)}; see `python -m pipeline tables {table}`")
        found = self.scan(table, ds)
        if columns is None:
            return as_declared(found.to_arrow(), declared)
        written = {field.name for field in found.projection().fields}
        # At least one column, or the number of rows would be lost with the columns.
        present = [name for name in columns if name in written] or [declared.columns[0].name]
        return as_declared(found.select(*present).to_arrow(), declared).select(list(columns))

    def scan(self, table: str, ds: str | None = None) -> DataScan:
        """A lazy pyiceberg scan of a table or of one day of it.

            home.scan("user_features", ds="2026-03-31").select("user_id", "recency_days").to_polars()

        Then `select`, `filter`, and `to_polars`, `to_pandas`, `to_arrow` or `to_duckdb`.

        Raises UsageError for an unknown table, NotPublishedError when the table or the day is not there.
        """
        from pipeline.storage.reading import scan

        return scan(table, ds, self.settings)

    def files(self, table: str, first: str, last: str, snapshot_id: int | None = None) -> tuple[int | None, list[str]]:
        """Snapshot id and Parquet files of the days from `first` to `last`, for any engine.

            snapshot, files = home.files("user_features", "2026-03-30", "2026-03-31")

        With `snapshot_id` the same rows again, for as long as the snapshot is kept
        (TIDEMARK_RETENTION_DAYS). (None, []) when nothing was ever published.

        Raises UsageError for an unknown table, NotPublishedError for a snapshot that has expired.
        """
        from pipeline.storage.reading import pinned_files

        return pinned_files(table, first, last, self.settings, snapshot_id)

    def night(self, ds: str) -> Night:
        """The tables of one night in the snapshots in which they belong together.

            night = home.night("2026-03-31")
            night.scan("user_features").to_polars(), night.scan("user_interests").to_polars()

        Reading table by table may meet a repair half-way; a night never does: while some of its tables are
        being made again it is the one before. `night.snapshots` names the snapshot of each table.

        Raises NotPublishedError when the night is not published, StaleError when no consistent state is kept.
        """
        from pipeline.runtime.days import parse_day
        from pipeline.storage.night import open_night

        return open_night(self.settings, parse_day(ds))

    def tables(self) -> dict[str, TableState]:
        """Every declared table by name, with its published days and their rows.

        max(home.tables()["user_features"].days)    # the newest night
        """
        from pipeline.storage.reading import published
        from pipeline.tables.registry import TABLES

        return {
            name: TableState(
                name,
                table.meaning,
                tuple(column.name for column in table.columns),
                table.snapshot,
                {ds: publication.rows for ds, publication in published(name, self.settings).items()},
            )
            for name, table in TABLES.items()
        }

    def as_of(
        self,
        labels: Any,
        columns: Sequence[str] | None = None,
        *,
        known: Literal["day", "publication"] = "day",
        max_age: timedelta | None = timedelta(days=7),
        delay: timedelta | None = None,
        hindsight: bool = False,
        time: str = "event_timestamp",
        table: str = "user_features",
    ) -> pa.Table:
        """Labels joined with the features as they were known at each label's time.

            home.as_of(labels, columns=["recency_days", "p_churn_28d"])

        labels: a pandas, Polars or Arrow frame with `user_id`, `event_timestamp` (with a time zone) and
        whatever else; its rows and their order stay. Adds `feature_ds`, the day of the features, and
        the features (all, or `columns`); null where none was known.
        known: "day" takes a day as known `delay` after its end in all zones, as it is published now (by
        default TIDEMARK_SERVING_DELAY_HOURS, within which a night serves); "publication" takes what had
        been published by then, as it was published then.
        max_age: from the end of the feature day to the label's time; older features are null.
        hindsight: allow features of a model that was trained for a later day than theirs.

        Raises UsageError for a frame or columns that do not fit, LeakError for hindsight that was not
        asked for, NotPublishedError when nothing was published, or a snapshot needed has expired.
        """
        from pipeline.features.as_of_join import as_of

        return as_of(
            labels,
            columns,
            known=known,
            max_age=max_age,
            delay=delay,
            hindsight=hindsight,
            time=time,
            table=table,
            settings=self.settings,
        )

    @cached_property
    def online(self) -> OnlineStore:
        """The online store that TIDEMARK_ONLINE_URI names: the features of one user, now.

            home.online.get(["0123456789abcdef0123456789abcdef"])    # one row per user, None for unknown ones

        Connects at first use; threads may share it. Its reads raise OnlineError when the store is out
        of reach or holds no night.
        """
        from pipeline.features.online import open_store

        return open_store(self.settings)

    @cached_property
    def feast(self) -> FeatureStore:
        """Feast's store over this home, its repository brought up to date first.

        home.feast.get_historical_features(labels, ["user_features:recency_days"]).to_df()
        """
        from pipeline.features.feast import open_feature_store

        return open_feature_store(self.settings)

    def history(self, table: str) -> list[Entry]:
        """Who published what of a table, newest first: time (UTC), snapshot, days, rows and run.

            [entry.run for entry in home.history("user_features")]

        Raises UsageError for an unknown table.
        """
        from pipeline.storage.history import history
        from pipeline.tables.registry import table_named

        return history(self.settings, table_named(table))

    def user(self, id: str, ds: str | None = None) -> Facts:
        """What is known about one user at the end of a day, by default the newest published one.

            home.user("webshop:U123").row["recency_days"]

        id: a `user_id`, an `account_id`, or `<platform>:<raw id>` as the platform knows the user; an
        account leads to the person it belonged to on that day.

        Raises NotPublishedError when the user has no row on that day, UsageError when `ds` is no day.
        """
        from pipeline.report.story.facts import facts_of
        from pipeline.runtime.days import parse_day
        from pipeline.runtime.errors import NotPublishedError
        from pipeline.sources.user_key import load_user_key, pseudonym
        from pipeline.storage.persons import persons_as_of
        from pipeline.storage.reading import published
        from pipeline.tables.registry import USER

        days = published("user_features", self.settings)
        if not days:
            raise NotPublishedError("user_features: nothing has been published yet; run a night first")
        day = parse_day(ds) if ds else max(days)
        account = id if re.match(USER, id) else pseudonym(load_user_key(self.settings.home), id)
        return facts_of(self.settings, persons_as_of(self.settings, day).user(account), day)


def open_home(home: str | Path | None = None) -> Home:
    """Opens the home of TIDEMARK_HOME (`./.tidemark` by default), or the one at `home`.

        home = pipeline.open("/srv/tidemark")

    All other settings come from the environment, as in every program of Tidemark.

    Raises SettingsError for a mistyped or wrong setting, or when there is no folder at `home`.
    """
    from pipeline.runtime.errors import SettingsError
    from pipeline.runtime.settings import checked_home, load_settings

    settings = load_settings()
    if home is None:
        return Home(settings)
    folder = checked_home(Path(home))
    if not folder.is_dir():
        raise SettingsError(f"home: expected the folder of a home, found none at {folder}")
    return Home(settings.model_copy(update={"home": folder}))
