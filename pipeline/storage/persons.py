"""Who an account is: the published table `identities`, as readers of `events` join it.

    persons = persons_as_of(settings, ds)
    persons.of(rows)                     # Polars: rows with `account_id` get `user_id`
    persons.view(connection)             # DuckDB: the view `persons` (account_id, user_id)

An account that is nobody's stands for itself: its `user_id` is its `account_id`.
"""

from dataclasses import dataclass, field

import duckdb
import polars as pl

from pipeline.runtime.settings import Settings
from pipeline.storage.declared import polars_rows
from pipeline.storage.reading import pinned_files, published
from pipeline.tables.registry import IDENTITIES

VERSIONS = ("account_id", "user_id", "since_ds")


@dataclass(frozen=True)
class Persons:
    """`joined`: `account_id` and `user_id` of the accounts that are a person's; every other one is its own.

    `inputs` is the snapshot that this was read from, by table, for what is made with it.
    """

    joined: pl.DataFrame
    inputs: dict[str, int] = field(default_factory=dict)

    def of(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows in their order, with `user_id` in place of `account_id`."""
        return self.of_lazy(rows.lazy()).collect()

    def of_lazy(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """The same of a lazy frame."""
        found = rows.join(self.joined.lazy(), on="account_id", how="left", maintain_order="left")
        return found.with_columns(pl.coalesce("user_id", "account_id").alias("user_id")).drop("account_id")

    def view(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Registers `persons`, to be joined as `coalesce(persons.user_id, account_id)`."""
        connection.register("persons", self.joined.to_arrow())

    def user(self, account: str) -> str:
        """The `user_id` of one account, or of a person: itself."""
        found = self.joined.filter(pl.col("account_id") == account)["user_id"]
        return found[0] if len(found) else account


def persons_as_of(settings: Settings, ds: str) -> Persons:
    """The map as it is known at the end of `ds`: of the newest published day up to it."""
    days = [day for day in published(IDENTITIES.name, settings) if day <= ds]
    if not days:
        return Persons(joined_as_of(no_versions(), ds))
    snapshot, versions = versions_of(settings, max(days))
    return Persons(joined_as_of(versions, ds), {IDENTITIES.name: snapshot} if snapshot else {})


def no_versions() -> pl.DataFrame:
    return pl.DataFrame(schema=dict.fromkeys(VERSIONS, pl.String))


def newest_versions(settings: Settings) -> pl.DataFrame:
    """The rows of the newest published day; none when nothing is published."""
    newest = max(published(IDENTITIES.name, settings), default="")
    return versions_of(settings, newest)[1] if newest else no_versions()


def versions_of(settings: Settings, ds: str) -> tuple[int | None, pl.DataFrame]:
    """The snapshot that was read, and the rows of one published day without `ds`."""
    snapshot, files = pinned_files(IDENTITIES.name, ds, ds, settings)
    if not files:
        return snapshot, no_versions()
    return snapshot, polars_rows(IDENTITIES, files, list(VERSIONS)).collect()


def joined_as_of(versions: pl.DataFrame, ds: str) -> pl.DataFrame:
    """`account_id` and `user_id` of the accounts that are a person's at the end of `ds`, by account."""
    newest = versions.filter(pl.col("since_ds") <= ds).sort("since_ds").unique("account_id", keep="last")
    joined = newest.filter(pl.col("user_id") != pl.col("account_id"))
    return joined.select("account_id", "user_id").sort("account_id")
