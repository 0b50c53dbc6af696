"""CPU seconds and memory of drawing one night's report, by users.

    python tests/bench/bench_report.py 100000 1000000

Rows are synthetic: two nights, lists of 50 items out of 30,000, five interests a user. They are
published from the files as they are, so only the report itself is measured, in its own process.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

BEFORE, NIGHT = "2024-03-04", "2024-03-05"
ITEMS, TOPICS, ROWS_PER_FILE = 30_000, 60, 100_000
LIST = "[{{'item_id': 'shop:' || (hash(i * {salt} + k) % {items}), 'score': (1 - k / 50.0)::FLOAT}} for k in range(50)]"
TOPIC = "printf('t%04d', 1 + (hash(i * {salt}) % {topics})::INT)"
INTERESTS = (
    "[{{'topic_id': printf('t%04d', 1 + (hash(i * {salt} + k) % {topics})::INT), "
    "'share': 0.2::FLOAT}} for k in range(5)]"
)


WEEK = "strftime(DATE '2024-03-04' - INTERVAL (7 * {back}) DAY, '%Y-%m-%d')"
WEEKS = 8


def _sql(pattern: str, salt: int) -> str:
    return pattern.format(salt=salt, items=ITEMS, topics=TOPICS)


COLUMNS = {
    "user_features": {
        "next_items": _sql(LIST, 3),
        "next_new_items": _sql(LIST, 5),
        "is_cold_start": "hash(i) % 20 = 0",
        "model_version": "'1'",
    },
    "user_interests": {
        "interests_long": _sql(INTERESTS, 7),
        "interests_short": _sql(INTERESTS, 11),
        "drift_stage": "CASE WHEN hash(i) % 5 = 0 THEN 'shifted' ELSE 'stable' END",
        "weeks": f"[{WEEK.format(back=f'({WEEKS} - k)')} for k in range({WEEKS})]",
        "weekly_topics": f"[printf('t%04d', 1 + (hash(i + k) % {TOPICS})::INT) for k in range({WEEKS})]",
        "drift_from_topic": _sql(TOPIC, 13),
        "drift_to_topic": _sql(TOPIC, 17),
    },
    "user_signals": {
        "segment": "['new', 'active', 'regular', 'fading', 'lapsed'][1 + (hash(i) % 5)::INT]",
        "anomaly_reason": "CASE WHEN hash(i) % 50 = 0 THEN 'too fast' END",
    },
    "user_history": {},
    "migrations": {
        "week": WEEK.format(back=f"(1 + i // {TOPICS * TOPICS})"),
        "from_topic": f"printf('t%04d', 1 + (i % {TOPICS})::INT)",
        "to_topic": f"printf('t%04d', 1 + (i // {TOPICS} % {TOPICS})::INT)",
        "users": "1 + (hash(i) % 40)::INT",
        "share": "0.01::FLOAT",
    },
}


def publish_rows(table: str, ds: str, rows: int) -> None:
    """Publishes that many rows of a table; columns that the report does not read are empty."""
    from pipeline.runtime.settings import load_settings
    from pipeline.storage import staging
    from pipeline.storage.publish import publish
    from pipeline.storage.staging import Receipt
    from pipeline.tables.registry import table_named

    settings, declared = load_settings(), table_named(table)
    attempt = staging.begin(settings, table, ds)
    files = []
    for first in range(0, rows, ROWS_PER_FILE):
        found = duckdb.sql(_rows_sql(table, ds, first, min(rows, first + ROWS_PER_FILE)))
        files.append(_written(settings, declared, attempt.day(ds), found.to_arrow_table()))
    staging.complete(attempt, [ds], {ds: files})
    receipt = {ds: {"rows": rows, "digest": f"{table}{ds}{rows}"}}
    staging.write_receipt(settings, Receipt(table, ds, {"all": attempt.path.name}, receipt, 0.0))
    publish(settings, declared, ds)


def _rows_sql(table: str, ds: str, first: int, last: int) -> str:
    from pipeline.tables.registry import table_named

    columns = COLUMNS[table]
    named = [f"{sql} AS {name}" for name, sql in columns.items()]
    if table == "user_features":
        chances = [it.name for it in table_named(table).columns if it.name.startswith("p_")]
        named += [f"((hash(i * {n + 19}) % 10007) / 10007.0)::FLOAT AS {name}" for n, name in enumerate(chances)]
    told = ", ".join([f"'{ds}' AS ds", "md5(i::VARCHAR) AS user_id", *named])
    return f"SELECT {told} FROM range({first}, {last}) t(i)"


def _written(settings: object, declared: object, folder: Path, rows: object) -> str:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from pipeline.storage.catalog import file_schema

    schema = file_schema(settings, declared)  # type: ignore[arg-type]
    arrays = [
        rows[field.name].cast(field.type)  # type: ignore[index]
        if field.name in rows.column_names  # type: ignore[attr-defined]
        else pa.repeat(_nothing(field.type), rows.num_rows)  # type: ignore[attr-defined]
        for field in schema
    ]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{len(list(folder.iterdir()))}.parquet"
    table = pa.table(dict(zip(schema.names, arrays, strict=True)), schema=schema)
    pq.write_table(table, path, compression="zstd", store_schema=False)
    return str(path)


def _nothing(kind: object) -> object:
    """An empty value of the type, for columns that nobody reads here."""
    import pyarrow as pa

    if pa.types.is_nested(kind):
        return pa.scalar([], kind)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return pa.scalar("1", kind)
    return pa.scalar(0).cast(kind)


def measure(users: int) -> dict[str, float]:
    """Draws the report in a process of its own."""
    for table in COLUMNS:
        for ds in (BEFORE, NIGHT):
            rows = TOPICS * TOPICS * WEEKS if table == "migrations" else users
            publish_rows(table, ds, rows)
    began = time.monotonic()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "pipeline.report.build", "--ds", NIGHT]
    page = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "users": users,
        "cpu_seconds": round(cpu, 1),
        "seconds": round(time.monotonic() - began, 1),
        "peak_mb": after.ru_maxrss // 1024,
        "page_kb": Path(page).stat().st_size // 1024,
    }


def main() -> None:
    for users in [int(argument) for argument in sys.argv[1:]] or [100_000]:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["TIDEMARK_HOME"] = folder
            print(json.dumps(measure(users)), flush=True)


if __name__ == "__main__":
    main()
