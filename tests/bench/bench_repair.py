"""One late file, a week back, of one user in a hundred: what its repair costs beside a night.

    python -m tests.bench repair [--users 20000] [--share 0.01]

Loads a shop of that many users (one event each on the first day, a twentieth of them active on each of eight more),
through histories, as a person would; then the file lands, and `repair` makes again what is stale. Prints the seconds of
a night of `land` and `derive`, of the repair, and what a repair says of the users whose histories it makes.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pipeline.runtime.days import shift
from pipeline.runtime.settings import Settings, load_settings
from tests.unit.spark_jobs.landed_shop import HEADER, TOML, land, open_shop

FIRST, DAYS, ACTIVE = "2026-03-01", 8, 20
SEED = 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--share", type=float, default=0.01, help="of the users that the late file is about")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TIDEMARK_HOME"] = folder
        settings = load_settings()
        days = [shift(FIRST, number) for number in range(DAYS + 1)]
        settings.landing.mkdir()
        fill(settings, days, given.users)
        _pipeline("run", "--from", days[0], "--to", days[-2], "--until", "accumulate")
        night = _pipeline("run", "--from", days[-1], "--to", days[-1], "--until", "accumulate")
        late = random.Random(SEED).sample(range(given.users), int(given.users * given.share))
        land(settings, f"shop/{days[1]}-late.csv", HEADER + "".join(_line(user, days[1], 12) for user in late))
        repair = _pipeline("repair")
        print(f"{given.users:,} users, a late file of {len(late):,}, {DAYS - 1} days back")
        print(f"a night of land and derive: {night:.0f} s; the repair of {DAYS} days: {repair:.0f} s")
        for log in sorted((settings.home / "logs").glob("repair-*/derive-job.log")):
            print(*[line for line in log.read_text().splitlines() if "made again" in line], sep="\n")


def fill(settings: Settings, days: list[str], users: int) -> None:
    """Lands the shop's files."""
    open_shop(settings, TOML)
    draw = random.Random(SEED)
    land(settings, f"shop/{days[0]}.csv", HEADER + "".join(_line(user, days[0], 10) for user in range(users)))
    for ds in days[1:]:
        active = draw.sample(range(users), users // ACTIVE)
        land(settings, f"shop/{ds}.csv", HEADER + "".join(_line(user, ds, 10) for user in active))


def _line(user: int, ds: str, hour: int) -> str:
    return f"user{user},view,item{user % 500},{ds} {hour}:00:00,\n"


def _pipeline(*words: str) -> float:
    """Seconds that a command takes, its start included."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "pipeline", *words], check=True, stdout=subprocess.DEVNULL, cwd=Path.cwd())
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
