"""The contract of `user_features`: as released, documented, and changed by addition only."""

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.commands import cli
from pipeline.runtime.errors import ContractError
from pipeline.tables.contract import FOLDER, broken, check, contract_of, release, releases
from pipeline.tables.features_page import PAGE, page
from pipeline.tables.registry import TABLES, USER_FEATURES, table_named
from pipeline.tables.schema import DOUBLE, FLOAT, INT, LONG, STRING, TEXTS, Column, Table, list_of
from pipeline.tables.texts import elements, is_struct_list, null_text, range_text, type_text

ROOT = Path(__file__).resolve().parents[4]
NUMBERS = (INT, LONG, FLOAT, DOUBLE)
SCORE = Column("score", FLOAT, "how much", True, "share", 0, 1)
KIND = Column("kind", STRING, "what", values=("a", "b"), nulls="when nobody looked")
OLD = Table("things", "made up", (SCORE, KIND), ("kind",))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in which version 1.0 of `things` is released."""
    release(OLD, tmp_path)
    return tmp_path


def changed(column: Column, version: str = "1.0", **changes: object) -> Table:
    """`things` with one column changed."""
    columns = tuple(replace(it, **changes) if it is column else it for it in OLD.columns)
    return replace(OLD, columns=columns, version=version)


def with_added(version: str, since: str) -> Table:
    added = Column("more", FLOAT, "something new", unit="share", nulls="at first", since=since)
    return replace(OLD, columns=(*OLD.columns, added), version=version)


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.iterdir()))
def test_the_declared_columns_are_the_released_ones(name: str) -> None:
    check(table_named(name))


def test_the_page_is_what_the_schema_says() -> None:
    assert (ROOT / PAGE).read_text() == page(USER_FEATURES), "run `python -m pipeline features page`"


@pytest.mark.parametrize("column", USER_FEATURES.columns, ids=lambda it: it.name)
def test_every_column_has_a_whole_entry(column: Column) -> None:
    assert column.meaning
    assert column.required or column.nulls, "says when it is null"
    assert column.type not in NUMBERS or column.unit
    assert column.since in {str(contract["version"]) for contract in releases("user_features")}
    assert set(elements(column.type)) == (
        {field.name for field in column.type.value_type} if is_struct_list(column.type) else set()
    )


def test_every_column_of_every_table_can_be_told() -> None:
    texts = [
        text(column.type if text is type_text else column)  # type: ignore[operator]
        for table in TABLES.values()
        for column in table.columns
        for text in (type_text, range_text, null_text)
    ]
    assert all(texts)


def test_a_column_as_text() -> None:
    assert type_text(list_of(item_id=STRING, score=FLOAT)) == "list of (item_id string, score float)"
    assert type_text(TEXTS) == "list of string"
    assert (range_text(SCORE), null_text(SCORE)) == ("0 to 1", "never")
    assert (range_text(KIND), null_text(KIND)) == ("one of a, b", "when nobody looked")


@pytest.mark.parametrize(
    ("table", "found"),
    [
        (replace(OLD, columns=(SCORE,)), "kind: removed or renamed"),
        (changed(SCORE, name="points"), "score: removed or renamed; points: added"),
        (changed(SCORE, type=DOUBLE), "score: type changed from 'float' to 'double'"),
        (changed(SCORE, unit="percent"), "score: unit changed from 'share' to 'percent'"),
        (changed(SCORE, maximum=2), "score: maximum changed from 1 to 2"),
        (changed(SCORE, required=False), "score: required changed from True to False"),
        (changed(KIND, nulls="never mind"), "kind: nulls changed from 'when nobody looked'"),
        (changed(KIND, values=("a",)), "kind: values changed from ['a', 'b'] to ['a']"),
        (changed(KIND, meaning="other"), "kind: meaning changed from 'what' to 'other'"),
        (replace(OLD, key=("score",)), "key changed from ['kind'] to ['score']"),
        (with_added("1.0", "1.0"), "more: added"),
    ],
)
def test_an_undeclared_change_is_refused(folder: Path, table: Table, found: str) -> None:
    with pytest.raises(ContractError) as refused:
        check(table, folder)
    message = str(refused.value)
    assert message.startswith("things 1.0: expected the released columns, found ")
    assert found in message
    assert "raise the version of the table" in message
    with pytest.raises(ContractError):
        release(table, folder)


def test_an_addition_is_declared_by_a_minor_version_and_released(folder: Path) -> None:
    table = with_added("1.1", "1.1")
    with pytest.raises(ContractError, match=r"expected pipeline/tables/contracts/things/1\.1\.json"):
        check(table, folder)
    release(table, folder)
    check(table, folder)
    assert [it["version"] for it in releases("things", folder)] == ["1.0", "1.1"]


@pytest.mark.parametrize(
    ("table", "found"),
    [
        (with_added("1.1", "1.0"), "more: added"),  # says that it was always there
        (changed(SCORE, "1.1", type=DOUBLE), "score: type changed"),
        (changed(SCORE, "1.1", maximum=2), "score: maximum changed"),
        (changed(KIND, "1.1", nulls="x"), "kind: nulls changed"),
        (changed(KIND, "1.1", since="1.1"), "kind: since changed"),
        (replace(OLD, version="1.1", columns=(SCORE,)), "kind: removed"),
        (replace(OLD, version="0.9"), "version 0.9 is not above the released 1.0"),
    ],
)
def test_a_minor_version_breaks_nothing(folder: Path, table: Table, found: str) -> None:
    with pytest.raises(ContractError, match=found):
        release(table, folder)
    assert len(releases("things", folder)) == 1


def test_a_minor_version_may_word_a_meaning_better_and_a_major_one_may_do_anything() -> None:
    frozen = contract_of(OLD)
    assert broken(frozen, contract_of(changed(KIND, "1.1", meaning="what it is"))) == []
    assert broken(frozen, contract_of(changed(SCORE, "2.0", type=DOUBLE, maximum=9))) == []


def test_versions_are_numbers(folder: Path) -> None:
    release(with_added("1.9", "1.9"), folder)
    table = with_added("1.10", "1.9")
    release(table, folder)
    assert [it["version"] for it in releases("things", folder)] == ["1.0", "1.9", "1.10"]
    check(table, folder)


def test_the_command_tells_the_contract(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["pipeline", "tables", "user_features"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "column type unit range null since meaning"
    assert "p_churn_7d float probability 0 to 1 never 1.0 no activity within 7 days" in lines


def test_an_edited_release_is_found(folder: Path) -> None:
    release(with_added("1.1", "1.1"), folder)
    path = folder / "things" / "1.0.json"
    path.write_text(path.read_text().replace('"share"', '"percent"'))
    with pytest.raises(ContractError, match="unit changed from 'percent' to 'share'"):
        check(with_added("1.1", "1.1"), folder)
