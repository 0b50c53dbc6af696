"""Write sample logs of two platforms.

python -m pipeline.sources.sample --out DIR --events 200000 --days 90 --seed 7
"""

import argparse
from datetime import date
from pathlib import Path

from pipeline.sources.sample.generate import generate


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m pipeline.sources.sample", description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--pictures", action="store_true", help="draw the web shop's items")
    parser.add_argument("--last-day", type=date.fromisoformat, default=None)
    generate(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()
