"""Import history files.

    python -m spark_jobs.import_history retail_rocket events.parquet

Reads one-off files in the format of a source's delivery and writes landing/<platform>/…, one file per local day of the
platform, which then load like any delivery. Killed, it goes on where it was when it is started again.
"""

import argparse
import shutil
from pathlib import Path

from filelock import FileLock

from pipeline.runtime.errors import UsageError
from pipeline.runtime.progress import Progress
from pipeline.runtime.settings import Settings, load_settings
from pipeline.sources import imports
from pipeline.sources.imports import DayFile, ImportFolder, Split
from pipeline.sources.landed_file import LandedFile, inspect, sha256_of
from pipeline.sources.landing import find_source
from pipeline.sources.source import TYPED_FORMATS, Source
from spark_jobs.engine.job import run_job
from spark_jobs.engine.session import open_session
from spark_jobs.landing.history_days import check_readable, index_days
from spark_jobs.landing.history_files import Survey, day_of, days_writer, survey


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("files", type=Path, nargs="+")
    arguments = parser.parse_args()
    settings = load_settings()
    source = find_source(settings, arguments.name)
    files = _inspected(source, arguments.files)
    folder = ImportFolder.of(settings, source, files)
    folder.path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.path.with_suffix(".lock")):
        split = folder.split()
        if split is not None and not folder.path.exists() and not imports.is_delivered(settings, split):
            split = None  # what was imported before is not there any more
        is_new = split is None or folder.path.exists()
        if split is None:
            split = _split(settings, source, files, folder)
            folder.keep(split)
        imports.deliver(settings, folder, split)
    first, last = split.files[0].ds, split.files[-1].ds
    had = "" if is_new else " before; nothing was left to do"
    print(f"{source.platform}: {split.rows} rows landed on {len(split.files)} days, {first}..{last}{had}")
    for line in [*imports.told_outside(split), *imports.told_missing(settings, source)]:
        print(line)


def _inspected(source: Source, paths: list[Path]) -> list[LandedFile]:
    """The files as they are now. Raises UsageError for one that is given twice: its rows would double."""
    progress, files = Progress(), []
    for number, path in enumerate(paths, 1):
        files.append(inspect(path, str(path), "", source.delivery, False))
        progress.show(f"{number} of {len(paths)} files looked at")
    seen: dict[str, LandedFile] = {}
    for file in files:
        other = seen.setdefault(file.sha256, file)
        if other is not file:
            raise UsageError(f"{file.name}: has the same content as {other.name}; leave one of them out")
    return files


def _split(settings: Settings, source: Source, files: list[LandedFile], folder: ImportFolder) -> Split:
    """One file per day, below the import's folder."""
    progress = Progress()
    indexes = [folder.path / "index" / str(number) for number in range(len(files))]
    spark = open_session(settings, "Import history")
    for number, (file, index) in enumerate(zip(files, indexes, strict=True), 1):
        progress.show(f"{file.name}: finding the days of {file.records:,} records ({number} of {len(files)} files)")
        index_days(spark, source, file, settings.max_record_bytes, index)
        file.check_unchanged()
        if source.delivery.format not in TYPED_FORMATS:
            check_readable(file, index)
    found = survey(source, files, indexes)
    days = {day_of(day): day for day in sorted(found.rows)}
    names = imports.targets(settings, source.delivery, days)
    imports.refuse_taken(settings, names.values())
    written = _write(source, files, indexes, found, folder, names, progress)
    return Split(written, found.outside)


def _write(
    source: Source,
    files: list[LandedFile],
    indexes: list[Path],
    found: Survey,
    folder: ImportFolder,
    names: dict[str, str],
    progress: Progress,
) -> list[DayFile]:
    parts = folder.path / "parts"
    for leftover in (parts, folder.files):
        shutil.rmtree(leftover, ignore_errors=True)  # of an attempt that was killed
    parts.mkdir(parents=True)
    writer = days_writer(source.delivery, files, parts)
    for file, index in zip(files, indexes, strict=True):
        writer.split(file, index, found, progress)
        file.check_unchanged()
    written = []
    for number, (day, rows) in enumerate(sorted(found.rows.items()), 1):
        ds = day_of(day)
        path = folder.files / names[ds]
        path.parent.mkdir(parents=True, exist_ok=True)
        writer.write(day, path)
        written.append(DayFile(ds, names[ds], rows, sha256_of(path)))
        progress.show(f"{number} of {len(names)} days written")
    shutil.rmtree(parts)
    return written


if __name__ == "__main__":
    run_job(main)
