"""Regret of every policy over 20 seeds, and seconds and memory of the policy table by users.

    python tests/bench/bench_policy.py [100000 300000 1000000]

50 arms, 200,000 impressions of 28 days, a champion by segment (Thompson sampling) and a challenger
by features (LinTS) that an experiment gives half of the users; then a night that repeats what is
published. Timed are the programs as they are run, with start-up. The truth of the regret table:
`pipeline/decisions/simulator/world.py`.
"""

import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

ARMS, IMPRESSIONS, DAYS = 50, 200_000, 28
BEFORE, LAST, NEXT = "2024-02-28", "2024-03-28", "2024-03-29"
TOML = """
segment_by = "segment"
exploration_floor = 0.002
[arms]
{arms}
[reward]
within_hours = 1
[champion]
policy = "thompson_beta"
[challenger]
policy = "lints"
[experiment]
share = 0.5
[caps]
per_day = 3
per_week = 9
[people]
consent = "everyone"
"""


def prepare(users: int) -> None:
    """Publishes made-up features and ads, without an audit, into the home of the environment."""
    from pipeline.runtime.settings import load_settings

    settings, rng = load_settings(), np.random.default_rng(0)
    for ds in (BEFORE, LAST):
        _publish(settings, "user_features", ds, _features(users, ds, rng))
    for back in range(DAYS):
        ds = f"2024-03-{28 - back:02d}"
        _publish(settings, "events", ds, _ads(users, ds, rng))
    folder = settings.home / "campaigns"
    folder.mkdir()
    arms = "\n".join(f"arm-{number} = {{}}" for number in range(ARMS))
    (folder / "bench.toml").write_text(TOML.format(arms=arms))


def _features(users: int, ds: str, rng: np.random.Generator) -> pa.Table:
    from pipeline.tables.registry import USER_FEATURES

    columns = {}
    for field in USER_FEATURES.schema:
        if pa.types.is_list(field.type):
            offsets = pa.array(np.zeros(users + 1, np.int32))
            values = pa.array([], field.type.value_type)
            columns[field.name] = pa.ListArray.from_arrays(offsets, values, type=field.type)
        elif pa.types.is_string(field.type):
            columns[field.name] = pa.array(np.full(users, "x"))
        else:
            columns[field.name] = pa.array(rng.integers(0, 2, users)).cast(field.type)
    columns["segment"] = pa.array(["new", "regular", "fading"]).take(pa.array(np.arange(users) % 3))
    columns |= {"ds": pa.repeat(ds, users), "user_id": pa.array(_ids(np.arange(users)))}
    return pa.table(columns, schema=USER_FEATURES.schema)


def _ads(users: int, ds: str, rng: np.random.Generator) -> pa.Table:
    from pipeline.tables.registry import EVENTS

    rows = IMPRESSIONS // DAYS
    arm, clicked = rng.integers(0, ARMS, rows), rng.random(rows) < 0.05
    kinds = pa.array(["impression"] * rows + ["view"] * int(clicked.sum()))
    source = np.concatenate([np.arange(rows), np.flatnonzero(clicked)])
    noon = np.datetime64(datetime.fromisoformat(ds).replace(tzinfo=UTC).replace(tzinfo=None), "us")
    micros = source.astype(np.int64) + (np.arange(len(source)) >= rows) * 1_000_000
    events = _ids(np.arange(len(source)))
    given = {
        "ds": pa.repeat(ds, len(source)),
        "arrival_ds": pa.repeat(ds, len(source)),
        "platform": pa.repeat("shop", len(source)),
        "event_type": kinds,
        "event_id": pa.array([ds.replace("-", "") + it[8:] for it in events]),
        "user_id": pa.array(_ids(rng.integers(0, users, rows)[source])),
        "event_time": pa.array(noon + micros).cast(pa.timestamp("us", tz="UTC")),
        "campaign_id": pa.array([f"arm-{number}" for number in arm[source]]),
        "propensity": pa.array(np.full(len(source), 1 / ARMS)),
    }
    schema = EVENTS.schema
    columns = [given.get(it.name, pa.nulls(len(source), it.type)) for it in schema]
    return pa.table(columns, schema=schema)


def _ids(numbers: np.ndarray) -> list[str]:
    return [f"{number * 0x9E3779B97F4A7C15 % 2**128:032x}" for number in numbers.tolist()]


def _publish(settings, table: str, ds: str, rows: pa.Table) -> None:
    from pipeline.storage import staging
    from pipeline.storage.catalog import file_schema
    from pipeline.storage.files import write_day
    from pipeline.storage.publish import publish
    from pipeline.storage.staging import Receipt
    from pipeline.tables.registry import table_named

    run = f"bench-{ds}"
    attempt = staging.begin(settings, table, run)
    path = write_day(attempt.day(ds), rows, file_schema(settings, table_named(table)))
    staging.complete(attempt, [ds], {ds: [path]})
    day: dict[str, object] = {"rows": rows.num_rows, "digest": ds}
    receipt = Receipt(table, run, {"all": attempt.path.name}, {ds: day}, 0.0)
    staging.write_receipt(settings, receipt)
    publish(settings, table_named(table), run)


def _timed(what: str, *arguments: str) -> None:
    began = time.monotonic()
    command = [sys.executable, "-m", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(command)} failed")
    print(
        f"  {what:<8} {time.monotonic() - began:6.1f} s {used.ru_utime + used.ru_stime:6.1f} s of "
        f"CPU, peak {used.ru_maxrss / 2**20:.2f} GiB",
        flush=True,
    )


def prepare_next(users: int) -> None:
    """Publishes the features of another day; the file now repeats what is published."""
    from pipeline.runtime.settings import load_settings

    settings = load_settings()
    _publish(settings, "user_features", NEXT, _features(users, NEXT, np.random.default_rng(1)))
    file = settings.home / "campaigns" / "bench.toml"
    file.write_text(file.read_text().replace('"thompson_beta"', '"champion"'))


def nights(users: str) -> None:
    """A first night with an experiment, and a second one that repeats what is published.

    Prepared in processes of their own: a child's peak would begin with what its parent holds.
    """
    subprocess.run([sys.executable, __file__, "--prepare", users], check=True)
    print(f"{int(users):,} users x {ARMS} arms", flush=True)
    tables = ("--table", "ad_policy", "--table", "policy_judgements", "--run", "first")
    _timed("job", "pipeline.decisions.campaigns.build", "--ds", LAST, "--run", "first")
    _timed("audit", "pipeline.storage.audit.command", *tables)
    _timed("publish", "pipeline.storage.publish", *tables)
    subprocess.run([sys.executable, __file__, "--prepare-next", users], check=True)
    _timed("repeat", "pipeline.decisions.campaigns.build", "--ds", NEXT, "--run", "second")


def main() -> None:
    if sys.argv[1:2] in (["--prepare"], ["--prepare-next"]):
        make = prepare if sys.argv[1] == "--prepare" else prepare_next
        make(int(sys.argv[2]))
        return
    if not sys.argv[1:]:
        with tempfile.TemporaryDirectory() as folder:
            simulator = [sys.executable, "-m", "pipeline", "ads", "simulate", "--out", folder]
            subprocess.run(simulator, check=True)
    for users in sys.argv[1:] or ["100000", "300000", "1000000"]:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["TIDEMARK_HOME"] = str(Path(folder) / "home")
            nights(users)


if __name__ == "__main__":
    main()
