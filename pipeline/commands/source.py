"""Check a source file, make one, or import history files: wrong usage is found here, then a Spark job does the work."""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pipeline.runtime.atomic import replace_text
from pipeline.runtime.errors import LandingError, SourceError, UsageError
from pipeline.runtime.processes import error_line
from pipeline.runtime.settings import Settings
from pipeline.sources.known import template_named, templates
from pipeline.sources.landing import find_source
from pipeline.sources.source import load_source

CHECKED_MB = 4  # of the files that `source new` was given: enough to see whether the draft is right


def check_source(file: Path, ds: str | None, compare: str | None = None, html: Path | None = None) -> int:
    """Shows what a landed day becomes; returns the exit code. Raises SourceError for a wrong file."""
    load_source(file)
    options = {"--ds": ds, "--compare": compare, "--html": html}
    given = [str(word) for name, value in options.items() if value is not None for word in (name, value)]
    return _quiet_job("spark_jobs.check_source", str(file), *given)


def new_source(settings: Settings, name: str, files: Sequence[Path], template: str | None, write: bool) -> int:
    """Prints or writes a source file for `files`, then shows what they become; returns the exit code.

    Raises SourceError, UsageError.
    """
    from pipeline.sources.proposals.draft import draft  # Polars, pyarrow

    found = draft(name, files, template_named(template) if template else None)
    target = settings.sources / f"{name}.toml"
    if write and target.exists():
        raise UsageError(f"{target}: expected no file yet, found one; choose another name, or remove it")
    if write:
        target.parent.mkdir(parents=True, exist_ok=True)
        replace_text(target, found.text)
        print(f"{target}: written")
    else:
        print(found.text)
    for line in found.open:
        print(f"open: {line}")
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / f"{name}.toml"
        kept.write_text(found.text, encoding="utf-8")
        try:
            load_source(kept)
        except SourceError as error:
            raise SourceError(str(error).replace(str(kept), str(target if write else kept.name))) from None
        if not files:
            return 0
        print(flush=True)
        words = ["--sample-mb", str(CHECKED_MB), "--files", *map(str, files)]
        return _quiet_job("spark_jobs.check_source", str(kept), *words)


def print_templates() -> None:
    """Prints each template with what it reads."""
    width = max(map(len, templates()))
    for template in templates().values():
        print(f"{template.name:{width}}  {template.title}")


def import_history(settings: Settings, name: str, files: Sequence[Path]) -> int:
    """Splits history files into landing days; returns the exit code. Raises SourceError, UsageError."""
    find_source(settings, name)
    for file in files:
        if not file.is_file():
            raise UsageError(f"{file}: expected a file, found none")
    return _job("spark_jobs.import_history", name, *map(str, files))


def _job(module: str, *arguments: str) -> int:
    return subprocess.run([sys.executable, "-m", module, *arguments], check=False).returncode


def _quiet_job(module: str, *arguments: str) -> int:
    """Runs a job of which only its own lines are shown. Raises LandingError with its error where it fails."""
    done = subprocess.run([sys.executable, "-m", module, *arguments], stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        message = error_line(done.stderr.splitlines()).removeprefix("error: ")
        raise UsageError(message) if done.returncode == 2 else LandingError(message)
    return 0
