"""The command line: `python -m pipeline COMMAND …`.

Exit code 0 on success, 2 on wrong usage, 1 on failure with one clear last line on standard error.
"""

import argparse
import importlib
import os
import sys

from pipeline.errors import TidemarkError, UsageError
from pipeline.settings import load_settings

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
}


def main(argv: list[str] | None = None) -> int:
    """Runs one command; returns its exit code."""
    argv = sys.argv[1:] if argv is None else argv
    arguments = _parser(argv[0] if argv else "").parse_args(argv)
    try:
        command = importlib.import_module(f"pipeline.commands.{arguments.command}")
        return int(command.run(arguments, load_settings()))
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except TidemarkError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:  # a full disk, a missing permission: the system's words are clear
        print(f"error: {error.strerror or error}: {error.filename or ''}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("error: interrupted", file=sys.stderr)
        return 1


def _parser(chosen: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipeline", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, meaning in COMMANDS.items():
        sub = commands.add_parser(name, help=meaning, description=meaning)
        if name == chosen:
            importlib.import_module(f"pipeline.commands.{name}").add_arguments(sub)
    return parser


def run() -> None:
    """Entry point; a reader that closes the pipe early (`| head`) is no failure."""
    try:
        code = main()
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code)
