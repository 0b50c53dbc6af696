"""Check a source file, or import history files: wrong usage is found here, then a Spark job does the work."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.runtime.errors import UsageError
from pipeline.runtime.settings import Settings
from pipeline.sources.landing import find_source
from pipeline.sources.source import load_source


def check_source(file: Path, ds: str | None) -> int:
    """Shows what a landed day becomes; returns the exit code. Raises SourceError for a wrong file."""
    load_source(file)
    return _job("spark_jobs.check_source", str(file), *(["--ds", ds] if ds else []))


def import_history(settings: Settings, name: str, files: Sequence[Path]) -> int:
    """Splits history files into landing days; returns the exit code. Raises SourceError, UsageError."""
    find_source(settings, name)
    for file in files:
        if not file.is_file():
            raise UsageError(f"{file}: expected a file, found none")
    return _job("spark_jobs.import_history", name, *map(str, files))


def _job(module: str, *arguments: str) -> int:
    return subprocess.run([sys.executable, "-m", module, *arguments], check=False).returncode
