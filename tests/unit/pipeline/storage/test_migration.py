"""Homes whose tables were declared otherwise: each kind of change, read by each engine, and what is refused."""

from collections.abc import Callable
from dataclasses import replace

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipeline.runtime.errors import ContractError
from pipeline.runtime.settings import Settings
from pipeline.storage import staging
from pipeline.storage.catalog import ensure_table, file_schema, load_table, migrate, own_table
from pipeline.storage.declared import arrow_rows, duckdb_sql, polars_rows
from pipeline.storage.files import write_day
from pipeline.storage.publish import publish
from pipeline.storage.reading import open_day, pinned_files, read, scan
from pipeline.storage.rollback import rollback
from pipeline.tables import registry
from pipeline.tables.columns import DS
from pipeline.tables.schema import DOUBLE, FLOAT, INT, LONG, STRING, Column, Table, list_of
from spark_jobs.engine.job import SparkJob
from tests.unit.pipeline.staged_factory import pass_audit

MON, TUE = "2026-03-30", "2026-03-31"
WHO = Column("who", STRING, "who", required=True)
COUNT, SHARE = Column("count", INT, "count"), Column("share", FLOAT, "share")
PLACE, NOTE = Column("place", STRING, "place", required=True), Column("note", STRING, "note")
TOTAL = Column("total", LONG, "total")
PARTS = Column("parts", list_of(name=STRING, size=INT), "parts")
BEFORE = Table("changing", "one that changes", (DS, WHO, COUNT, SHARE, PLACE, NOTE, PARTS, TOTAL), key=("who",))
NOW = replace(
    BEFORE,
    version="2.0",
    key=("account",),
    columns=(
        DS,
        replace(WHO, name="account", renamed_from="who"),
        replace(COUNT, type=LONG),
        replace(SHARE, type=DOUBLE),
        replace(PLACE, required=False),
        replace(PARTS, type=list_of(name=STRING, weight=DOUBLE, size=LONG)),
        TOTAL,
        Column("since", STRING, "came with 2.0", required=True),
    ),
)
OLD_ROW = {
    "ds": MON,
    "who": "ann",
    "count": 3,
    "share": 0.5,
    "place": "here",
    "note": None,
    "total": 5,
    "parts": [{"name": "a", "size": 1}],
}
NEW_ROW = {
    "ds": TUE,
    "account": "bob",
    "count": 2**40,
    "share": 0.25,
    "place": None,
    "parts": [{"name": "b", "weight": 1.5, "size": 2**40}],
    "total": 6,
    "since": "x",
}
SEEN = [
    {
        "ds": MON,
        "account": "ann",
        "count": 3,
        "share": 0.5,
        "place": "here",
        "parts": [{"name": "a", "weight": None, "size": 1}],
        "total": 5,
        "since": None,
    },
    NEW_ROW,
]
Declare = Callable[[Table], Table]


@pytest.fixture
def declare(monkeypatch: pytest.MonkeyPatch) -> Declare:
    """Declares a table from now on."""

    def declared(table: Table) -> Table:
        monkeypatch.setitem(registry.TABLES, table.name, table)
        return table

    return declared


def publish_rows(settings: Settings, table: Table, rows: list[dict[str, object]], run: str) -> None:
    attempt, ds = staging.begin(settings, table.name, run), str(rows[0]["ds"])
    path = write_day(attempt.day(ds), pa.Table.from_pylist(rows, schema=table.schema), file_schema(settings, table))
    pass_audit(settings, staging.complete(attempt, [ds], {ds: [path]}))
    publish(settings, table, run)


@pytest.fixture
def older(home: Settings, declare: Declare) -> Settings:
    """A home with a day of the version before; declared is now the new version."""
    publish_rows(home, declare(BEFORE), [OLD_ROW], "r1")
    declare(NOW)
    return home


def by_duckdb(settings: Settings, files: list[str]) -> list[dict[str, object]]:
    with duckdb.connect() as database:
        return database.sql(duckdb_sql(database, NOW, files, NOW.schema.names)).to_arrow_table().to_pylist()


def by_every_engine(settings: Settings, days: list[str]) -> dict[str, list[dict[str, object]]]:
    _, files = pinned_files(NOW.name, days[0], days[-1], settings)
    names, short = NOW.schema.names, pc.field("place").is_valid() | pc.field("count").is_valid()
    found = {
        "read": read(NOW.name, None, settings).to_pylist(),
        "scan": scan(NOW.name, None, settings).to_polars().to_dicts(),
        "dataset": [row for ds in days for row in open_day(settings, NOW, ds)[1].to_table().to_pylist()],
        "rows": arrow_rows(NOW, files, names).to_pylist(),
        "filtered rows": arrow_rows(NOW, files, names, short).to_pylist(),
        "polars": polars_rows(NOW, files, names).collect().to_dicts(),
        "duckdb": by_duckdb(settings, files),
    }
    return {engine: sorted(rows, key=lambda row: str(row["ds"])) for engine, rows in found.items()}


def test_a_reader_of_an_older_home_sees_what_is_declared_and_changes_nothing(older: Settings) -> None:
    for engine, rows in by_every_engine(older, [MON]).items():
        assert rows == SEEN[:1], engine
    iceberg = own_table(older, NOW)
    assert iceberg is not None
    assert iceberg.schema().column_names[1] == "who"


def test_every_engine_reads_days_of_both_versions(older: Settings) -> None:
    publish_rows(older, NOW, [NEW_ROW], "r2")
    for engine, rows in by_every_engine(older, [MON, TUE]).items():
        assert rows == SEEN, engine


def test_spark_reads_days_of_both_versions(older: Settings, spark) -> None:
    publish_rows(older, NOW, [NEW_ROW], "r2")
    job = SparkJob(older, spark, [TUE], "r3")
    rows = job.read_range(NOW, MON, TUE)
    assert rows.columns == NOW.schema.names
    assert [row.asDict(recursive=True) for row in rows.orderBy("ds").collect()] == SEEN
    assert [row.account for row in rows.where("account = 'ann'").collect()] == ["ann"]


def test_a_day_of_the_version_before_can_be_run_again_and_rolled_back(older: Settings) -> None:
    """Files of before come back as they were written."""
    publish_rows(older, NOW, [{**NEW_ROW, "ds": MON}], "r2")
    assert read(NOW.name, MON, older)["account"].to_pylist() == ["bob"]
    rollback(older, NOW, MON)
    for engine, rows in by_every_engine(older, [MON]).items():
        assert rows == SEEN[:1], engine


def test_tables_are_brought_to_their_declaration_once(older: Settings) -> None:
    assert migrate(older) == ["changing"]
    assert migrate(older) == []
    iceberg = own_table(older, NOW)
    assert iceberg is not None
    assert set(iceberg.schema().column_names) >= set(NOW.schema.names)
    assert not iceberg.schema().find_field("since").required  # old rows have none
    assert not file_schema(older, NOW).field("since").nullable  # new files must
    assert "note" not in [it.name for it in iceberg.schema().fields]


def test_a_column_renamed_twice_is_found_under_its_first_name(older: Settings, declare: Declare) -> None:
    twice = declare(
        replace(
            NOW,
            version="3.0",
            key=("person",),
            columns=tuple(
                replace(it, name="person", renamed_from="account who") if it.name == "account" else it
                for it in NOW.columns
            ),
        )
    )
    _, files = pinned_files(NOW.name, MON, MON, older)
    assert read(NOW.name, MON, older)["person"].to_pylist() == ["ann"]
    assert polars_rows(twice, files, ["person"]).collect()["person"].to_list() == ["ann"]


def changed(**columns: Column | None) -> tuple[Column, ...]:
    """The columns of BEFORE with some replaced or, where None, left out."""
    found = [columns.get(it.name, it) for it in BEFORE.columns]
    return tuple(it for it in found if it)


REFUSED = {
    "narrower": (
        replace(BEFORE, version="2.0", columns=changed(total=replace(TOTAL, type=INT))),
        r"changing\.total: expected a type that holds the long of published days, found int .*only int to long",
    ),
    "another type": (
        replace(BEFORE, version="2.0", columns=changed(count=replace(COUNT, type=STRING))),
        r"changing\.count: expected a type that holds the int of published days, found string",
    ),
    "nested": (
        replace(BEFORE, version="2.0", columns=changed(parts=replace(PARTS, type=list_of(name=STRING, size=STRING)))),
        r"changing\.parts\.size: expected a type that holds the int",
    ),
    "required": (
        replace(BEFORE, version="2.0", columns=changed(note=replace(NOTE, required=True))),
        rf"changing\.note ds={MON}: expected no null, .* found 1; leave it optional",
    ),
    "key": (
        replace(BEFORE, version="2.0", key=("who", "place")),
        r"expected the key who of version 1\.0, found who, place declared in version 2\.0",
    ),
    "dropped in the same major version": (
        replace(BEFORE, version="1.1", columns=changed(note=None)),
        r"found version 1\.1 declared without note; to drop or rename a column, raise the major version",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_old_rows_cannot_follow_is_refused(home: Settings, declare: Declare, name: str) -> None:
    publish_rows(home, declare(BEFORE), [OLD_ROW], "r1")
    table, message = REFUSED[name]
    with pytest.raises(ContractError, match=message):
        ensure_table(home, declare(table))
    assert read(declare(BEFORE).name, MON, home)["who"].to_pylist() == ["ann"]


def test_a_column_may_become_required_where_no_row_lacks_it(home: Settings, declare: Declare) -> None:
    publish_rows(home, declare(BEFORE), [{**OLD_ROW, "note": "n"}], "r1")
    table = declare(replace(BEFORE, version="2.0", columns=changed(note=replace(NOTE, required=True))))
    ensure_table(home, table)
    assert not file_schema(home, table).field("note").nullable
    assert read(table.name, MON, home)["note"].to_pylist() == ["n"]


def test_older_code_does_not_take_columns_away_from_a_newer_home(older: Settings, declare: Declare) -> None:
    publish_rows(older, NOW, [NEW_ROW], "r2")
    with pytest.raises(
        ContractError,
        match=r"changing: expected version 1\.0 or an earlier one, found version 2\.0: .*update this code",
    ):
        ensure_table(older, declare(BEFORE))


def test_a_dropped_name_does_not_come_back(older: Settings, declare: Declare) -> None:
    migrate(older)
    again = declare(replace(NOW, version="3.0", columns=(*NOW.columns, replace(NOTE, type=LONG))))
    with pytest.raises(ContractError, match=r"changing\.note: expected a name that no dropped column had"):
        load_table(older, again)


def test_an_earlier_name_cannot_be_that_of_another_column() -> None:
    with pytest.raises(ContractError, match=r"changing\.account: expected renamed_from to name no column"):
        replace(NOW, columns=(*NOW.columns, WHO))
