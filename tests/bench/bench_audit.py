"""Seconds of an audit of staged events, by part.

    python -m tests.bench audit 5000000

Rows are synthetic, in 8 files of one day. The parts are timed in one process, in the order in
which the audit runs them; the last line is the whole release, which publishes too, with start-up, on the same rows.
"""

import argparse
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from typing import Any

import duckdb
import pyarrow as pa

DAY, FILES = "2024-03-05", 8
ROWS_SQL = """
SELECT '{day}' AS ds, 'shop' AS platform, md5(i::VARCHAR) AS event_id,
    md5((i % 50000)::VARCHAR) AS user_id, 'shop:' || (hash(i) % 30000) AS item_id,
    ['view', 'view', 'cart', 'purchase'][i % 4 + 1] AS event_type,
    TIMESTAMPTZ '{day} 00:00:00+00' + INTERVAL (i % 86400) SECOND AS event_time,
    '{day}' AS arrival_ds, 1.0::DOUBLE AS quantity, (hash(i) % 10000 / 100.0)::DOUBLE AS price,
    NULL::VARCHAR AS query, NULL::VARCHAR AS text, NULL::DOUBLE AS rating,
    NULL::VARCHAR AS campaign_id, NULL::DOUBLE AS propensity,
    i::VARCHAR AS attributes
FROM range({first}, {last}) t(i)
"""


def stage_events(rows: int) -> None:
    """Stages `rows` events under the run `bench`."""
    from pipeline.runtime.settings import load_settings
    from pipeline.storage import staging
    from pipeline.storage.catalog import file_schema
    from pipeline.storage.files import write_day
    from pipeline.tables.registry import table_named

    settings = load_settings()
    attempt = staging.begin(settings, "events", "bench")
    schema = file_schema(settings, table_named("events"))
    paths = []
    for part in range(FILES):
        first, last = part * rows // FILES, (part + 1) * rows // FILES
        made = duckdb.sql(ROWS_SQL.format(day=DAY, first=first, last=last)).to_arrow_table()
        paths.append(write_day(attempt.day(DAY), _with_maps(made), schema))
    staging.complete(attempt, [DAY], {DAY: paths}, facts={"rows": {DAY: rows}})


def _with_maps(rows: pa.Table) -> pa.Table:
    """`attributes` as a map of one entry."""
    orders = rows["attributes"].combine_chunks()
    keys = pa.array(["order"] * len(orders))
    maps = pa.MapArray.from_arrays(pa.array(range(len(orders) + 1), pa.int32()), keys, orders)
    return rows.set_column(rows.schema.get_field_index("attributes"), "attributes", maps)


def time_parts() -> None:
    """Prints the seconds of each part."""
    from pipeline.orchestration import step_commands
    from pipeline.orchestration.graph import Step
    from pipeline.runtime.settings import load_settings
    from pipeline.storage import staging
    from pipeline.storage.audit.expectations import rules_of
    from pipeline.storage.audit.files import check_files
    from pipeline.storage.audit.staged_rows import staged_rows
    from pipeline.tables.registry import table_named

    settings, table = load_settings(), table_named("events")
    manifests = staging.current(settings, "events", "bench")
    _timed("files", lambda: check_files(table, manifests))
    suite = _timed("import of GX", _import_suite)
    rules = rules_of(table, settings)
    context = suite.open_context(settings)
    expectations = suite.build_suite("events", rules)
    with staged_rows(settings, table, manifests, rules) as rows:
        result = _timed("suite", lambda: suite.run_suite(context, expectations, rows))
        keep = (settings, context, expectations, "bench", result)
        _timed("data docs", lambda: suite.keep_result(*keep))
        _timed("digest", rows.content)
    command = step_commands.release(Step("events", "", "", writes=("events",)), "bench")
    _timed("whole release", lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))


def _import_suite() -> Any:
    from pipeline.storage.audit import suite

    return suite


def _timed(what: str, call: Callable[[], Any]) -> Any:
    began, cpu = time.perf_counter(), _cpu_seconds()
    result = call()
    wall, used = time.perf_counter() - began, _cpu_seconds() - cpu
    print(f"{what:<14} {wall:6.2f} s {used:6.2f} s of CPU", flush=True)
    return result


def _cpu_seconds() -> float:
    """Of this process and its children: what counts where the machine is shared."""
    return sum(os.times()[:4])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=int, nargs="?", default=5_000_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as home:
        os.environ["TIDEMARK_HOME"] = home
        stage_events(rows)
        print(f"{rows:,} rows of events")
        time_parts()


if __name__ == "__main__":
    main()
