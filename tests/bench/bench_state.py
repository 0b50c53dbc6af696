"""What it costs to know what is stale: `stale` and `status` on a year of nights over every table of a night.

    python -m tests.bench state [--nights 365] [--batches 30]

Publishes tiny partitions of all tables of a night, each with the inputs that its step declares, over landed files of
every day; then runs both commands as a person does, and prints the least seconds and CPU seconds of three runs, since a
busy machine stretches the former. The publications come in `batches`, as many as snapshots are kept of a table. A
changed file in the middle shows what `stale` has to follow.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa

from pipeline.orchestration.graph import Part
from pipeline.orchestration.steps import INGEST, NIGHT
from pipeline.runtime.days import day_range, shift
from pipeline.runtime.settings import Settings, load_settings
from pipeline.sources.landed_file import inspect
from pipeline.sources.landing import find_source
from pipeline.sources.ledger import entry
from pipeline.storage import staging
from pipeline.storage.catalog import file_schema
from pipeline.storage.files import write_day
from pipeline.storage.inputs import Inputs
from pipeline.storage.lineage import Lineage
from pipeline.storage.publish import publish
from pipeline.tables.registry import table_named
from tests.unit.pipeline.staged_factory import SOUND
from tests.unit.spark_jobs.landed_shop import HEADER, TOML, land, open_shop

FIRST = "2025-01-01"
LOOKBACK = {"raw_events": 6, "events": 3}  # days before its own that a part reads of a log
TRIES = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nights", type=int, default=365)
    parser.add_argument("--batches", type=int, default=30)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TIDEMARK_HOME"] = folder
        settings = load_settings()
        days = day_range(FIRST, shift(FIRST, given.nights - 1))
        parts = [part for step in NIGHT for part in step.parts if part.writes and not step.training]
        year(settings, parts, days, given.batches)
        tables = sum(len(part.writes) for part in parts)
        began = time.perf_counter()
        assert not Lineage(settings).stale
        print(
            f"{tables} tables x {len(days)} days: looked through in {time.perf_counter() - began:.2f} s, imports aside"
        )
        for command in ("stale", "status"):
            print(f"`{command}`: {_seconds(command)}")
        land(settings, f"shop/{days[len(days) // 2]}.csv", HEADER + "bob,view,b,2025-01-01 10:00:00,\n")
        print(f"`stale` after a change of one file: {_seconds('stale')}")


def year(settings: Settings, parts: list[Part], days: list[str], batches: int) -> None:
    """Publishes every day of every table, in that many snapshots each."""
    open_shop(settings, TOML)
    for ds in days:
        land(settings, f"shop/{ds}.csv", HEADER + f"ann,view,a,{ds} 10:00:00,\n")
    size = -(-len(days) // batches)
    for start in range(0, len(days), size):
        for part in parts:
            for table in part.writes:
                _publish(settings, part, table, days[start : start + size])


def _publish(settings: Settings, part: Part, table: str, days: list[str]) -> None:
    inputs, run = Inputs.of(settings), f"bench-{time.time_ns()}"
    for name in part.reads:
        if name in part.writes:
            inputs.note(name, shift(days[0], -1), shift(days[0], -1))
        else:
            back = LOOKBACK.get(name, 0)
            inputs.note(name, shift(days[0], -back), days[-1], back)
    attempt = staging.begin(settings, table, run, fence=inputs.fence)
    schema = file_schema(settings, table_named(table))
    files, content = {}, {}
    for ds in days:
        rows = pa.Table.from_pylist([{**SOUND[table], "ds": ds}], schema=table_named(table).schema)
        files[ds] = [write_day(attempt.day(ds), rows, schema)]
        content[ds] = {"rows": 1, "digest": f"{table}-{ds}"}
    source = find_source(settings, "shop")
    landed = [
        entry(source, inspect(settings.landing / f"shop/{ds}.csv", f"shop/{ds}.csv", ds, source.delivery, False))
        for ds in (days if table == "raw_events" else ())
    ]
    assert table != "raw_events" or part is INGEST
    staging.complete(attempt, days, files, inputs.as_json(), None, landed)
    seen = {"all": attempt.path.name}
    staging.write_receipt(settings, staging.Receipt(table, run, seen, content, 0.0))
    publish(settings, table_named(table), run)


def _seconds(command: str) -> str:
    """Of the fastest of some runs of a command, its start included."""
    found = []
    for _ in range(TRIES):
        began, cpu = time.perf_counter(), _cpu()
        subprocess.run([sys.executable, "-m", "pipeline", command], check=True, capture_output=True, cwd=Path.cwd())
        found.append((time.perf_counter() - began, _cpu() - cpu))
    return "{:.2f} s, {:.2f} CPU s".format(*map(min, zip(*found, strict=True)))


def _cpu() -> float:
    """Seconds of CPU of all processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
