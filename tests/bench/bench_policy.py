"""Regret of every policy over 20 seeds, and seconds and memory of the policy table by users.

    python -m tests.bench policy [100000 300000 1000000]

50 arms, 200,000 impressions of 28 days, a champion by segment (Thompson sampling) and a challenger
by features (LinTS) that an experiment gives half of the users; then a night that repeats what is
published. Timed are the programs as they are run, with start-up. The truth of the regret table:
`pipeline/decisions/simulator/world.py`.
"""

import argparse
import os
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.decisions.simulator.contest import simulate
from pipeline.decisions.simulator.report import table
from pipeline.orchestration import step_commands
from pipeline.orchestration.steps import AD_POLICY
from pipeline.runtime.settings import load_settings
from pipeline.tables.registry import EVENTS, USER_FEATURES
from tests.bench.plain_users import ids, users_of
from tests.bench.processes import again, measured
from tests.bench.publishing import publish_day

SEEDS = 20  # of the regret table
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
    settings, rng = load_settings(), np.random.default_rng(0)
    for ds in (BEFORE, LAST):
        publish_day(settings, USER_FEATURES, ds, [users_of(users, ds, rng)])
    for back in range(DAYS):
        ds = f"2024-03-{28 - back:02d}"
        publish_day(settings, EVENTS, ds, [ads(users, ds, rng)])
    folder = settings.home / "campaigns"
    folder.mkdir()
    arms = "\n".join(f"arm-{number} = {{}}" for number in range(ARMS))
    (folder / "bench.toml").write_text(TOML.format(arms=arms))


def ads(users: int, ds: str, rng: np.random.Generator) -> pa.Table:
    rows = IMPRESSIONS // DAYS
    arm, clicked = rng.integers(0, ARMS, rows), rng.random(rows) < 0.05
    kinds = pa.array(["impression"] * rows + ["view"] * int(clicked.sum()))
    source = np.concatenate([np.arange(rows), np.flatnonzero(clicked)])
    noon = np.datetime64(datetime.fromisoformat(ds).replace(tzinfo=UTC).replace(tzinfo=None), "us")
    micros = source.astype(np.int64) + (np.arange(len(source)) >= rows) * 1_000_000
    events = ids(np.arange(len(source)))
    given = {
        "ds": pa.repeat(ds, len(source)),
        "arrival_ds": pa.repeat(ds, len(source)),
        "platform": pa.repeat("shop", len(source)),
        "event_type": kinds,
        "event_id": pa.array([ds.replace("-", "") + it[8:] for it in events]),
        "account_id": pa.array(ids(rng.integers(0, users, rows)[source])),
        "event_time": pa.array(noon + micros).cast(pa.timestamp("us", tz="UTC")),
        "campaign_id": pa.array([f"arm-{number}" for number in arm[source]]),
        "propensity": pa.array(np.full(len(source), 1 / ARMS)),
    }
    schema = EVENTS.schema
    columns = [given.get(it.name, pa.nulls(len(source), it.type)) for it in schema]
    return pa.table(columns, schema=schema)


def prepare_next(users: int) -> None:
    """Publishes the features of another day; the file now repeats what is published."""
    settings = load_settings()
    publish_day(settings, USER_FEATURES, NEXT, [users_of(users, NEXT, np.random.default_rng(1))])
    file = settings.home / "campaigns" / "bench.toml"
    file.write_text(file.read_text().replace('"thompson_beta"', '"champion"'))


def nights(users: int) -> None:
    """A first night with an experiment, and a second one that repeats what is published.

    Prepared in processes of their own: a child's peak would begin with what its parent holds.
    """
    settings = load_settings()
    subprocess.run(again("policy", "--prepare", users), check=True)
    print(f"{users:,} users x {ARMS} arms", flush=True)
    for name, command in (
        ("job", step_commands.job(AD_POLICY, settings, LAST, LAST, "first")),
        ("release", step_commands.release(AD_POLICY, "first")),
    ):
        print(f"  {name:<8} {measured(command)}", flush=True)
    subprocess.run(again("policy", "--prepare-next", users), check=True)
    print(f"  {'repeat':<8} {measured(step_commands.job(AD_POLICY, settings, NEXT, NEXT, 'second'))}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("users", type=int, nargs="*", help="without any, the regret of every policy comes first")
    parser.add_argument("--prepare", type=int, metavar="USERS", help="fill the home with a first night")
    parser.add_argument("--prepare-next", type=int, metavar="USERS", help="fill the home with a second one")
    given = parser.parse_args()
    if given.prepare:
        prepare(given.prepare)
        return
    if given.prepare_next:
        prepare_next(given.prepare_next)
        return
    if not given.users:
        print(table(simulate(SEEDS)))
    for users in given.users or [100_000, 300_000, 1_000_000]:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["TIDEMARK_HOME"] = str(Path(folder) / "home")
            nights(users)


if __name__ == "__main__":
    main()
