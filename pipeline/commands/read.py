"""`python -m pipeline read TABLE [--ds D] [--out FILE.parquet]`."""

import argparse
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from pipeline.runtime.days import parse_day
from pipeline.runtime.settings import Settings
from pipeline.storage.reading import read


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table")
    parser.add_argument("--ds", help="one day; all published days when left out")
    parser.add_argument("--out", type=Path, metavar="FILE.parquet", help="write instead of print")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    rows = read(arguments.table, parse_day(arguments.ds) if arguments.ds else None, settings)
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(rows, arguments.out)
        print(f"{arguments.out}: {rows.num_rows} rows")
    else:
        with pl.Config(tbl_cols=-1, tbl_width_chars=200):
            print(pl.from_arrow(rows))
    return 0
