"""Which landed records are a person's: found by a Spark job that reads them as ingest does."""

import json
import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from pipeline.erasure.names import Names
from pipeline.erasure.search import files_below, named_in
from pipeline.orchestration import step_commands
from pipeline.runtime.errors import LandingError
from pipeline.runtime.processes import error_line
from pipeline.runtime.settings import Settings
from pipeline.sources.landing import active_sources, files, source_days
from pipeline.storage.reading import published
from pipeline.tables.registry import RAW_EVENTS

JOB = step_commands.PROJECT / "spark_jobs" / "find_landed.py"


@dataclass(frozen=True)
class LandedRecord:
    """One record of a file below landing/, the header being line 1 of a CSV."""

    file: str
    line: int
    platform: str
    raw_id: str
    shared: bool = False  # with rows of others, so that it cannot go as a whole


def naming_files(settings: Settings, names: Names) -> list[Path]:
    """The regular files below landing/ in which a name certainly is."""
    return [path for path in files_below(settings.landing) if is_regular(path) and named_in(path, names)]


def is_regular(path: Path) -> bool:
    """Whether a path is a file and no link, which leads to what is a file of its own or not of this home."""
    return path.is_file() and not path.is_symlink()


def unread_files(settings: Settings) -> set[str]:
    """Landed files, by name below landing/, of days without published `raw_events`."""
    known = set(published(RAW_EVENTS.name, settings))
    return {
        path.relative_to(settings.landing).as_posix()
        for source in active_sources(settings)
        for ds in source_days(settings, source)
        if ds not in known
        for path in files(settings, source, ds)
    }


def find_records(
    settings: Settings, users: Iterable[str], names: Iterable[str], addresses: Iterable[str] = ()
) -> list[LandedRecord]:
    """The records of the users in those files, as far as they are still there and no links.

    `addresses`: `<platform>:<e-mail address>` in lower case, whose records are found however they write it.

    Raises LandingError when the job fails.
    """
    there = sorted(name for name in set(names) if is_regular(settings.landing / name))
    if not there:
        return []
    submit = step_commands.spark_submit(settings, step_commands.java_options(settings))
    with NamedTemporaryFile("w", suffix=".json") as request:
        json.dump({"users": sorted(users), "files": there, "addresses": sorted(addresses)}, request)
        request.flush()
        done = subprocess.run(
            [*submit, str(JOB), request.name],
            env={**os.environ, **step_commands.environment(settings)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,  # as spark-submit itself does with what the job prints
            text=True,
        )
    if done.returncode:
        said = error_line(done.stdout.splitlines()).removeprefix("error: ")
        raise LandingError(f"landing: its records could not be searched: {said}")
    lines = [line for line in done.stdout.splitlines() if line.startswith("found ")]
    return [LandedRecord(**json.loads(line.removeprefix("found "))) for line in lines]
