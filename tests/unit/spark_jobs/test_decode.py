"""Records of text files as columns: whatever a table holds comes back equal, whatever is out of place is refused."""

import bz2
import csv
import gzip
import io
import json
import lzma
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.sources import unpack
from pipeline.sources.landed_file import inspect
from pipeline.sources.source import Drop
from spark_jobs.landing.decode import Reading
from spark_jobs.landing.lines import FilePart, _read_text

Row = tuple[int, str | None, list[str | None], dict[str, str]]
COLUMNS = ("text", "line", "a.b")  # names that the reader uses itself, and that Spark takes for a path


def rows_of(path: Path, drop: Drop, parts: int = 1, most: int = 10**6) -> list[Row]:
    """Line, problem, declared fields and unknown ones of each record, read by `parts` tasks."""
    file = inspect(path, f"shop/{path.name}", "2011-03-01", drop, allow_empty=True)
    found = []
    for part in range(parts):
        share = FilePart(str(path), file.name, "", part, parts, file.columns)
        tables = _read_text(share, Reading(drop, most))
        for row in (row for table in tables for row in table.to_pylist()):
            fields = [row[f"f{number}"] for number in range(len(drop.columns))]
            found.append((row["line"], row["problem"], fields, dict(row["unknown"] or [])))
    assert len(found) == file.records
    return sorted(found, key=lambda row: row[0])


def problems(tmp_path: Path, content: bytes, format_: str = "csv", **dialect: Any) -> list[tuple[int, str | None]]:
    path = tmp_path / "x"
    path.write_bytes(content)
    return [(line, problem) for line, problem, *_ in rows_of(path, Drop("{ds}", format_, ("a", "b"), **dialect))]


TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0\ufeff"), max_size=12)
TRICKY = st.sampled_from(
    ['"', '""', "\n", "\r\n", "a\nb,c,d", ",", ";", "\t", "#x", " ", '\\"', "'", "1,5", "007", "\\"]
)
PACKERS = {"": bytes, "gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    rows=st.lists(st.lists(st.one_of(TEXTS, TRICKY), min_size=3, max_size=3), max_size=8),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "gb18030"]),
    packing=st.sampled_from(sorted(PACKERS)),
    chunk=st.sampled_from([3, 64, 4 << 20]),
    header=st.booleans(),
    parts=st.sampled_from([1, 2]),
)
def test_a_csv_comes_back_equal(
    tmp_path: Path,
    rows: list[list[str]],
    delimiter: str,
    line_end: str,
    encoding: str,
    packing: str,
    chunk: int,
    header: bool,
    parts: int,
) -> None:
    sink = io.StringIO(newline="")
    writer = csv.writer(sink, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator=line_end)
    writer.writerows([COLUMNS] if header else [])
    writer.writerows(rows)
    path = tmp_path / "x.csv"
    path.write_bytes(PACKERS[packing](sink.getvalue().encode(encoding)))
    drop = Drop("{ds}", "csv", COLUMNS, encoding, delimiter=delimiter, header=header, escape="")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unpack, "CHUNK_BYTES", chunk)
        found = rows_of(path, drop, parts)
    assert [(problem, fields) for _, problem, fields, _ in found] == [(None, row) for row in rows]


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.text(st.sampled_from('ab,"\n \\\r'), max_size=40),
    delimiter=st.sampled_from([",", ";"]),
)
def test_a_text_never_makes_rows(tmp_path: Path, text: str, delimiter: str) -> None:
    """Whichever way a program quotes it, a text is one record, or refused with all its lines, and nothing follows."""
    forged = f"x{delimiter}forged"
    for quoted in (text.replace('"', '""'), text.replace("\\", "\\\\").replace('"', '\\"')):
        content = f'a{delimiter}b\n1{delimiter}"{quoted}\n{forged}\n"\n'
        path = tmp_path / "x.csv"
        path.write_text(content, newline="")
        found = rows_of(path, Drop("{ds}", "csv", ("a", "b"), delimiter=delimiter))
        assert [fields for _, _, fields, _ in found if fields == ["x", "forged"]] == []


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.dictionaries(
            st.one_of(st.sampled_from(COLUMNS), TEXTS),
            st.one_of(TEXTS, st.none(), st.booleans(), st.integers(), st.lists(st.integers(), max_size=2)),
            max_size=5,
        ),
        max_size=6,
    ),
    as_array=st.booleans(),
    plain=st.booleans(),
    chunk=st.sampled_from([5, 4 << 20]),
)
def test_json_comes_back_equal(
    tmp_path: Path, rows: list[dict[str, Any]], as_array: bool, plain: bool, chunk: int
) -> None:
    lines = [json.dumps(row, ensure_ascii=plain) for row in rows]
    path = tmp_path / "x.jsonl"
    content = json.dumps(rows, indent=1, ensure_ascii=plain) if as_array else "".join(line + "\n" for line in lines)
    path.write_text(content, encoding="utf-8", newline="")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unpack, "CHUNK_BYTES", chunk)
        found = rows_of(path, Drop("{ds}", "jsonl", COLUMNS))
    texts = [{name: as_text(value) for name, value in row.items() if value is not None} for row in rows]
    assert [problem for _, problem, *_ in found] == [None] * len(rows)
    assert [fields for *_, fields, _ in found] == [[text.get(name) for name in COLUMNS] for text in texts]
    assert [unknown for *_, unknown in found] == [
        {name: value for name, value in text.items() if name not in COLUMNS} for text in texts
    ]


def as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def test_numbers_keep_the_text_of_the_file(tmp_path: Path) -> None:
    numbers = ["12345678.0", "1.10", "9007199254740993", "123456789012345678901234567890", "-0", "1E5", "1e999", "-0.0"]
    path = tmp_path / "x.jsonl"
    path.write_text("".join(f'{{"a": {number}, "z": {number}}}\n' for number in numbers))
    found = rows_of(path, Drop("{ds}", "jsonl", ("a",)))
    assert [(fields, unknown) for *_, fields, unknown in found] == [([it], {"z": it}) for it in numbers]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("NaN", "malformed"),
        ("-Infinity", "malformed"),
        ("01", "malformed"),
        ("[1, NaN]", "malformed"),
        ('"\\ud800"', "malformed"),
        ('{"x": "\\udc00"}', "malformed"),
        ("1, %s: 2", "malformed"),
        ('"\\u0000"', "null_byte"),
        ('"\\\\u0000"', None),
        ('{"x": 1, "x": 2}', None),
        ("[" * 5000 + "]" * 5000, "malformed"),
    ],
)
def test_one_rule_for_fields_declared_or_not(tmp_path: Path, value: str, problem: str | None) -> None:
    for name in ('"a"', '"other"', '"a" '):
        line = "{" + name + ": " + value.replace("%s", name) + "}\n"
        assert problems(tmp_path, line.encode(), "jsonl") == [(1, problem)]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'a,b\n1,"x\ny"\n3,4\n', [(2, None), (4, None)]),
        (b'a,b\n1,"x\n3,4\n5,6', [(2, "malformed"), (3, "malformed"), (4, "malformed")]),
        (b'a,b\n1,"x"y\n3,4\n', [(2, "malformed"), (3, None)]),
        (b'a,b\n1,5" pipe\n3,4\n', [(2, None), (3, None)]),
        (b'a,b\n1, "x\n3,4\n"\n7,8\n', [(2, "malformed"), (3, "malformed"), (4, "malformed"), (5, None)]),
        (b'a,b\n"c:\\",x\n3,4\n', [(2, "malformed"), (3, "malformed")]),
        (b"a,b\n1\r2,3\n4,5\n", [(2, "malformed"), (3, None)]),
        (b"a,b\r1,2\r3,4\r", [(2, None), (3, None)]),
        (b"a,b\n1,2\n,\n\n3\n1,2,3\n", [(2, None), (3, "padding"), (5, "malformed"), (6, "malformed")]),
        (b"a,b\nerased\n1,\xff\n\0,1\n", [(2, "erased"), (3, "bad_encoding"), (4, "null_byte")]),
    ],
)
def test_what_is_out_of_place(tmp_path: Path, content: bytes, expected: list[tuple[int, str | None]]) -> None:
    assert problems(tmp_path, content) == expected


def test_the_signs_of_a_dialect(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("# made 'today'\nb|a|\n'it\\'s|\n#1'|2|\n# end\n3\\|4|5|6\n", newline="")
    drop = Drop("{ds}", "csv", ("a", "b"), delimiter="|", quote="'", escape="\\", comment="#")
    assert rows_of(path, drop) == [
        (3, None, ["2", "it's|\n#1"], {}),
        (6, None, ["5", "3|4"], {"column_3": "6"}),
    ]
    path.write_text('b\ta\n"x\ty\n')
    assert rows_of(path, Drop("{ds}", "csv", ("a", "b"), delimiter="\t", quote=""))[0][2] == ["y", '"x']


def test_a_record_that_is_too_long_is_a_row(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"a,b\n1,2\n1," + b"x" * 3000 + b'\n1,"' + b"\n" * 3000 + b'"\n')
    found = rows_of(path, Drop("{ds}", "csv", ("a", "b")), most=2048)
    assert [(line, problem) for line, problem, *_ in found] == [(2, None), (3, "oversized"), (4, "oversized")]
