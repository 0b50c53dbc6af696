"""The command line: `python -m pipeline COMMAND …`.

Exit code 0 on success, 2 on wrong usage, 1 on failure with one clear last line on standard error.
"""

import argparse
import importlib
import os
import sys

from pipeline.runtime.settings import load_settings

# A command's module is imported only when it is called: some bring Airflow, some pyiceberg.
COMMANDS = {
    "nightly": "run the night of a day through Airflow and follow it",
    "run": "run the same jobs over a range of days, without Airflow",
    "source": "check a source file, or import a history file",
    "sample": "generate sample logs",
    "tables": "list the tables, their columns' meaning and their published days",
    "read": "print a table or write it to a Parquet file",
    "history": "list the publications of a table",
    "rollback": "bring back what a day held before its last publication",
    "status": "show landing, published days, champion and servers",
    "user": "print what is known about one user",
    "erase": "remove persons from everything, for good",
}


def main() -> None:
    """Runs one command. A reader that closes the pipe early (`| head`) is no failure."""
    argv = sys.argv[1:]
    arguments = _parser(argv[0] if argv else "").parse_args(argv)
    command = importlib.import_module(f"pipeline.commands.{arguments.command}")
    try:
        code = command.run(arguments, load_settings())
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code)


def _parser(chosen: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipeline", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, meaning in COMMANDS.items():
        sub = commands.add_parser(name, help=meaning, description=meaning)
        if name == chosen:
            importlib.import_module(f"pipeline.commands.{name}").add_arguments(sub)
    return parser
