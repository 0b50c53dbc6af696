"""Import history files.

    python -m spark_jobs.import_history retail_rocket events.parquet

Reads one-off files in the format of a source's delivery and writes landing/<platform>/…, one file per local day of the
platform, which then load like any delivery.
"""

import argparse
from pathlib import Path

from pipeline.runtime.errors import LandingError
from pipeline.runtime.settings import load_settings
from pipeline.sources.landed_file import LandedFile, inspect
from pipeline.sources.landing import find_source
from spark_jobs.engine.job import run_job
from spark_jobs.engine.session import open_session
from spark_jobs.landing.history_files import split_days, write_landing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("files", type=Path, nargs="+")
    arguments = parser.parse_args()
    settings = load_settings()
    source = find_source(settings, arguments.name)
    landed = [inspect(path, path.name, "", source.delivery, False) for path in arguments.files]
    _one_header(landed)
    spark = open_session(settings, "Import history")
    days = split_days(spark, source, landed, settings.max_record_bytes)
    header = landed[0].header if source.delivery.format == "csv" else ()
    written = write_landing(days, source.delivery, settings.landing, header)
    first, last = min(written), max(written)
    rows = sum(written.values())
    print(f"{source.platform}: {rows} rows landed on {len(written)} days, {first}..{last}")


def _one_header(files: list[LandedFile]) -> None:
    for file in files[1:]:
        if file.header != files[0].header:
            raise LandingError(
                f"{file.name}: expected the columns of {files[0].name} in the same order, found "
                f"{', '.join(file.header)}; import the files one by one"
            )


if __name__ == "__main__":
    run_job(main)
