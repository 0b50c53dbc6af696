"""The arguments of the programs that follow a job: which tables of which run they are about."""

import argparse

from pipeline.tables.registry import table_named
from pipeline.tables.schema import Table


def parse(doc: str | None) -> tuple[list[Table], str]:
    """The tables and the run that the command line names."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", action="append", required=True, help="may be repeated")
    parser.add_argument("--run", required=True, help="id shared by the steps of one run")
    arguments = parser.parse_args()
    return [table_named(name) for name in arguments.table], arguments.run
