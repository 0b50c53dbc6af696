"""CPU seconds and memory of drawing one night's report, by users.

    python -m tests.bench report 100000 1000000

Rows are synthetic: two nights, lists of 50 items out of 30,000, five interests a user. Only
the report itself is measured, in its own process.
"""

import argparse
import json
import os
import tempfile
from collections.abc import Iterator

import duckdb
import pyarrow as pa

from pipeline.orchestration import step_commands
from pipeline.orchestration.steps import REPORT
from pipeline.runtime.settings import load_settings
from pipeline.tables.registry import table_named
from pipeline.tables.schema import Table
from tests.bench.processes import measured
from tests.bench.publishing import publish_day

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


def made_up(table: Table, ds: str, rows: int) -> Iterator[pa.Table]:
    """That many rows of a table; columns that the report does not read are empty."""
    for first in range(0, rows, ROWS_PER_FILE):
        found = duckdb.sql(_rows_sql(table, ds, first, min(rows, first + ROWS_PER_FILE))).to_arrow_table()
        arrays = [
            found[field.name].cast(field.type)
            if field.name in found.column_names
            else pa.repeat(_nothing(field.type), found.num_rows)
            for field in table.schema
        ]
        yield pa.table(arrays, schema=table.schema)


def _rows_sql(table: Table, ds: str, first: int, last: int) -> str:
    named = [f"{sql} AS {name}" for name, sql in COLUMNS[table.name].items()]
    if table.name == "user_features":
        chances = [it.name for it in table.columns if it.name.startswith("p_")]
        named += [f"((hash(i * {n + 19}) % 10007) / 10007.0)::FLOAT AS {name}" for n, name in enumerate(chances)]
    columns = ", ".join([f"'{ds}' AS ds", "md5(i::VARCHAR) AS user_id", *named])
    return f"SELECT {columns} FROM range({first}, {last}) t(i)"


def _nothing(kind: pa.DataType) -> pa.Scalar:
    """An empty value of the type, for columns that nobody reads here."""
    if pa.types.is_nested(kind):
        return pa.scalar([], kind)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return pa.scalar("1", kind)
    return pa.scalar(0).cast(kind)


def measure(users: int) -> dict[str, float]:
    """Draws the report in a process of its own."""
    settings = load_settings()
    for name in COLUMNS:
        for ds in (BEFORE, NIGHT):
            rows = TOPICS * TOPICS * WEEKS if name == "migrations" else users
            publish_day(settings, table_named(name), ds, made_up(table_named(name), ds, rows))
    used = measured(step_commands.job(REPORT, settings, NIGHT, NIGHT, "bench"))
    page = settings.home / "reports" / "nightly" / f"{NIGHT}.html"
    return {
        "users": users,
        "cpu_seconds": round(used.cpu_seconds, 1),
        "seconds": round(used.seconds, 1),
        "peak_mb": round(used.largest_gib * 1024),
        "page_kb": page.stat().st_size // 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("users", type=int, nargs="*", default=[100_000])
    for users in parser.parse_args().users:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["TIDEMARK_HOME"] = folder
            print(json.dumps(measure(users)), flush=True)


if __name__ == "__main__":
    main()
