"""`python -m pipeline source check FILE [--ds D]` and `source import NAME FILES…`."""

import argparse
import subprocess
import sys
from pathlib import Path

from pipeline.runtime.errors import UsageError
from pipeline.runtime.settings import Settings
from pipeline.sources.landing import find_source
from pipeline.sources.source import load_source


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    check = actions.add_parser("check", help="show what a landed day becomes, and what is rejected")
    check.add_argument("file", type=Path, help="source TOML")
    check.add_argument("--ds", help="landed day; the latest by default")
    history = actions.add_parser("import", help="split history files into landing days")
    history.add_argument("name", help="name of the source")
    history.add_argument("files", type=Path, nargs="+", help="files in the source's format")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Finds wrong usage here, in no time; then a Spark job does the work."""
    if arguments.action == "check":
        load_source(arguments.file)
        day = ["--ds", arguments.ds] if arguments.ds else []
        return _job("spark_jobs.check_source", str(arguments.file), *day)
    find_source(settings, arguments.name)
    for file in arguments.files:
        if not file.is_file():
            raise UsageError(f"{file}: expected a file, found none")
    return _job("spark_jobs.import_history", arguments.name, *map(str, arguments.files))


def _job(module: str, *arguments: str) -> int:
    return subprocess.run([sys.executable, "-m", module, *arguments], check=False).returncode
