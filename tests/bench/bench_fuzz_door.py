"""Mutated records and files at the door: rows read otherwise than by a reference reader, errors without a type.

    python -m tests.bench fuzz_door [--records 100000] [--files 1000] [--seed 1]

Records of JSON lines and of CSV are mutated by bytes, landed as one file, and read as ingest reads them. Every record
must come back as one row: with the fields that Python's json or csv module finds (JSON: the text of texts), or with a
problem where that finds none. Whole files of every format are cut, doubled and flipped; whatever looks at them may only
raise a TidemarkError. What differs is printed, ten examples each; the exit code is 1 if anything does.
"""

import argparse
import csv
import gzip
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

COLUMNS = ("uid", "what", "price")
SEEDS = {
    "jsonl": [
        b'{"uid": "anna", "what": "view", "price": "1.50"}',
        '{"uid": "bé\\u00e9", "what": "", "x": [1]}'.encode(),
    ],
    "csv": [b"anna,view,1.50", '"bé, ""b""",view,'.encode()],
}
PIECES = [
    b'"',
    b"\\",
    b",",
    b"{",
    b"}",
    b"[",
    b":",
    b"null",
    b"\\u0000",
    b"\\ud800",
    b"\0",
    b"\xff",
    b" ",
    b"\t",
    b"1e999",
    b"NaN",
]
SHOWN = 10


def mutated(rng: np.random.Generator, record: bytes) -> bytes:
    """One to three changes of a record: a byte, a piece put in, a part left out or doubled."""
    for _ in range(rng.integers(1, 4)):
        at, end = sorted(rng.integers(0, len(record) + 1, 2))
        change = rng.integers(0, 4)
        if change == 0:
            record = record[:at] + bytes([rng.integers(0, 256)]) + record[at + 1 :]
        elif change == 1:
            record = record[:at] + PIECES[rng.integers(0, len(PIECES))] + record[at:]
        elif change == 2:
            record = record[:at] + record[end:]
        else:
            record = record[:end] + record[at:end] + record[end:]
    return record.replace(b"\n", b" ").replace(b"\r", b" ") or b" "


def expected(kind: str, record: bytes) -> dict[str, str | None] | None:
    """The texts of the declared fields as the reference reader finds them; None where it finds no record."""
    try:
        text = record.decode("utf-8")
        if "\0" in text:
            return None  # by rule
        if kind == "csv":
            [fields] = csv.reader([text], strict=True)
            return dict(zip(COLUMNS, (it or None for it in fields), strict=True))
        found = json.loads(text, parse_constant=float.fromhex)  # NaN is no JSON
        if "\\u0000" in text or not isinstance(found, dict):
            return None
        return {name: found[name] for name in COLUMNS if isinstance(found.get(name), str)}
    except (ValueError, csv.Error, RecursionError):
        return None


def fuzz_records(kind: str, records: int, rng: np.random.Generator, folder: Path) -> int:
    """Lands and reads mutated records; prints and counts those that are read otherwise."""
    from pipeline.runtime.settings import Settings
    from pipeline.sources.landed_file import inspect
    from pipeline.sources.source import Drop
    from spark_jobs.engine.session import open_session
    from spark_jobs.landing.read import read_landing

    drop = Drop(path=f"shop/{{ds}}.{kind}", format=kind, columns=COLUMNS)
    lines = [mutated(rng, SEEDS[kind][row % 2]) for row in range(records)]
    path = folder / f"records.{kind}"
    head = [",".join(COLUMNS).encode()] if kind == "csv" else []
    path.write_bytes(b"\n".join([*head, *lines]) + b"\n")
    landed = inspect(path, path.name, "2026-03-31", drop, False)
    rows = [
        row
        for frame in read_landing(open_session(Settings(), "fuzz"), drop, [landed], 1_000_000)
        for row in frame.select("_landed.line", "_landed.problem", *COLUMNS).toArrow().to_pylist()
    ]
    wrong = [] if sorted(row["line"] for row in rows) == [*range(1 + len(head), records + 1 + len(head))] else ["count"]
    for row in rows:
        record = lines[row["line"] - 1 - len(head)]
        wanted = expected(kind, record)
        if (row["problem"] is None) != (wanted is not None):
            wrong.append(f"{record!r}: problem {row['problem']}, reference {wanted}")
        elif wanted and any((row[name] or None) != (value or None) for name, value in wanted.items()):
            wrong.append(f"{record!r}: { ({name: row[name] for name in wanted}) }, reference {wanted}")
    print(f"{kind}: {records:,} records, {landed.records:,} counted, {len(rows):,} rows, {len(wrong)} read otherwise")
    print(*(f"  {it}" for it in wrong[:SHOWN]), sep="\n")
    return len(wrong) + (landed.records != records)


def fuzz_files(files: int, rng: np.random.Generator, folder: Path) -> int:
    """Looks at mutated files of every format; prints and counts errors that have no type of ours."""
    from pipeline.runtime.errors import TidemarkError
    from pipeline.sources.landed_file import inspect
    from pipeline.sources.source import Drop

    table = pa.table({name: [name] * 50 for name in COLUMNS})
    pq.write_table(table, folder / "whole.parquet")
    text = b"\n".join([",".join(COLUMNS).encode(), *SEEDS["csv"] * 20])
    whole = {
        "jsonl": b"\n".join(SEEDS["jsonl"] * 20),
        "csv": text,
        "csv.gz": gzip.compress(text),
        "parquet": (folder / "whole.parquet").read_bytes(),
    }
    failed = 0
    for suffix, content in whole.items():
        drop = Drop(path=f"shop/{{ds}}.{suffix}", format=suffix.split(".")[0], columns=COLUMNS)
        wrong = []
        for number in range(files):
            path = folder / f"{number}.{suffix}"
            path.write_bytes(mutated(rng, content) if number % 2 else content[: rng.integers(0, len(content))])
            try:
                inspect(path, path.name, "2026-03-31", drop, False)
            except TidemarkError as error:
                if "\n" in str(error):
                    wrong.append(f"{path.name}: more than one line: {str(error)!r}")
            except Exception as error:
                wrong.append(f"{path.name}: {type(error).__name__}: {str(error)[:200]!r}")
            path.unlink()
        print(f"{suffix}: {files:,} files, {len(wrong)} errors without a type or of several lines")
        print(*(f"  {it}" for it in wrong[:SHOWN]), sep="\n")
        failed += len(wrong)
    return failed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=100_000, help="of each format of lines")
    parser.add_argument("--files", type=int, default=1_000, help="of each format")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    rng = np.random.default_rng(given.seed)
    with tempfile.TemporaryDirectory() as made:
        failed = fuzz_files(given.files, rng, Path(made))
        failed += sum(fuzz_records(kind, given.records, rng, Path(made)) for kind in SEEDS)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
