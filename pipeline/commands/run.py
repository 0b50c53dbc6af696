"""`python -m pipeline run --from D1 --to D2 [--until STEP]`: the night's jobs without Airflow.

Runs every step over the whole range at once. The last step to run is `score`, or that of
`--until`; a model is trained only when none is champion.
"""

import argparse
import sys
import time

from pipeline.orchestration.range_load import load_range
from pipeline.orchestration.steps import names, step_named
from pipeline.runtime.days import day_range
from pipeline.runtime.processes import Usage
from pipeline.runtime.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--from", dest="first", required=True, metavar="D1", help="first day")
    parser.add_argument("--to", dest="last", required=True, metavar="D2", help="last day")
    parser.add_argument("--until", choices=names(), default=names()[-1], help="last step to run")
    parser.add_argument("--allow-empty", action="store_true", help="take a missing landing file for an empty one")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    days = day_range(arguments.first, arguments.last)
    allow_empty = arguments.allow_empty or settings.allow_empty
    settings = settings.model_copy(update={"allow_empty": allow_empty})
    started = time.monotonic()
    load_range(settings, days[0], days[-1], step_named(arguments.until), show)
    seconds = time.monotonic() - started
    print(f"{days[0]}..{days[-1]}: {len(days)} days through {arguments.until} in {seconds:.0f} s")
    return 0


def show(step: str, part: str, usage: Usage) -> None:
    """One line per process that ended, in one piece: two may end at once."""
    line = f"{step:11} {part:9} {usage.seconds:6.1f} s {usage.peak_mb:6} MB\n"
    sys.stdout.write(line)
    sys.stdout.flush()
