"""`python -m pipeline rollback TABLE --ds D`."""

import argparse

from pipeline.runtime.days import parse_day
from pipeline.runtime.settings import Settings
from pipeline.storage.rollback import rollback
from pipeline.tables.registry import table_named


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table")
    parser.add_argument("--ds", required=True)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    table, ds = table_named(arguments.table), parse_day(arguments.ds)
    back = rollback(settings, table, ds)
    print(f"{table.name} ds={ds}: {back.rows} rows of snapshot {back.restored} are back")
    return 0
