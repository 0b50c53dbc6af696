"""`python -m pipeline sample --out DIR --events N --days D --seed S`."""

import argparse
from pathlib import Path

from pipeline.runtime.settings import Settings
from pipeline.sources.sample import generate


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="landing folder")
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--pictures", action="store_true", help="draw the web shop's items")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    generate(
        arguments.out,
        arguments.events,
        arguments.days,
        arguments.seed,
        pictures=arguments.pictures,
    )
    print(f"{arguments.out}: about {arguments.events} events over {arguments.days} days")
    return 0
