"""Accounts and persons as readers of events join them, in Polars and in DuckDB."""

import duckdb
import polars as pl
import pytest

from pipeline.runtime.settings import Settings
from pipeline.storage.persons import Persons, joined_as_of, persons_as_of
from pipeline.storage.publish import publish
from pipeline.tables.registry import table_named
from tests.unit.pipeline.staged_factory import pass_audit, stage

A, B, C, P, Q = (letter * 32 for letter in "abcde")
VERSIONS = pl.DataFrame(
    {
        "account_id": [A, A, A, B],
        "user_id": [P, Q, A, P],
        "since_ds": ["0001-01-01", "2024-03-05", "2024-03-07", "2024-03-06"],
    }
)


@pytest.mark.parametrize(
    ("ds", "joined"),
    [
        ("2024-03-04", {A: P}),
        ("2024-03-05", {A: Q}),
        ("2024-03-06", {A: Q, B: P}),
        ("2024-03-07", {B: P}),
    ],
)
def test_the_newest_version_up_to_the_day_counts(ds: str, joined: dict[str, str]) -> None:
    assert dict(joined_as_of(VERSIONS, ds).rows()) == joined


def test_rows_keep_their_order_and_nobody_is_lost() -> None:
    persons = Persons(pl.DataFrame({"account_id": [A, B], "user_id": [P, P]}))
    rows = pl.DataFrame({"account_id": [C, B, A, C, None], "n": range(5)})
    assert persons.of(rows).to_dict(as_series=False) == {"n": [0, 1, 2, 3, 4], "user_id": [C, P, P, C, None]}
    with duckdb.connect() as connection:
        persons.view(connection)
        found = connection.execute(
            "SELECT coalesce(persons.user_id, account_id) FROM rows LEFT JOIN persons USING (account_id) ORDER BY n"
        ).fetchall()
    assert [user for (user,) in found] == [C, P, P, C, None]


def test_of_the_newest_published_day(home: Settings) -> None:
    assert persons_as_of(home, "2024-03-05").joined.is_empty()
    assert persons_as_of(home, "2024-03-05").inputs == {}
    row = {"account_id": A, "user_id": P, "since_ds": "2024-03-05"}
    days = {ds: [{**row, "ds": ds}] for ds in ("2024-03-05", "2024-03-08")}
    pass_audit(home, stage(home, "identities", days, run="r"))
    publish(home, table_named("identities"), "r")
    assert persons_as_of(home, "2024-03-04").user(A) == A
    assert persons_as_of(home, "2024-03-06").user(A) == P
    assert set(persons_as_of(home, "2024-03-06").inputs) == {"identities"}
