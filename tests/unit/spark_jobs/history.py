"""History files split into days without Spark: the index is written by hand."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.runtime.days import days_since_1970
from pipeline.runtime.progress import Progress
from pipeline.sources.landed_file import LandedFile, inspect
from pipeline.sources.source import Delivery, Source, load_source
from spark_jobs.landing.history_days import NO_TIME
from spark_jobs.landing.history_files import Survey, day_of, days_writer, survey

TOML = """
platform = "shop"
timezone = "UTC"
[delivery]
path = "shop/{{ds}}.{format}"
format = "{kind}"
columns = {columns}
{more}
[event]
user_id = "uid"
item_id = "uid"
event_type = "uid"
event_time = "uid"
"""
INDEX = pa.schema([("line", pa.int64()), ("day", pa.int32()), ("problem", pa.string())])


def source_of(folder: Path, format: str, columns: list[str], more: str = "") -> Source:
    """A source whose days are `.csv`, `.csv.gz`, `.jsonl` or `.parquet` files."""
    file = folder / "shop.toml"
    names = ", ".join(f"'{name}'" for name in columns)
    file.write_text(TOML.format(format=format, kind=format.split(".")[0], columns=f"[{names}]", more=more))
    return load_source(file)


def landed(path: Path, delivery: Delivery) -> LandedFile:
    return inspect(path, path.name, "", delivery, False)


def index(folder: Path, lines: list[int], days: list[str | None]) -> Path:
    """The index of a file: where its records begin, and their days."""
    folder.mkdir(parents=True)
    numbers = [NO_TIME if ds is None else days_since_1970(ds) for ds in days]
    table = pa.table([lines, numbers, [None] * len(lines)], schema=INDEX)
    pq.write_table(table, folder / "part-0.parquet", row_group_size=3)
    return folder


def split(folder: Path, source: Source, files: list[LandedFile], indexes: list[Path]) -> tuple[Survey, dict[str, Path]]:
    """What is found of the files, and the file of each day."""
    found = survey(source, files, indexes)
    parts = folder / "parts"
    parts.mkdir()
    writer = days_writer(source.delivery, files, parts)
    for file, at in zip(files, indexes, strict=True):
        writer.split(file, at, found, Progress())
    written = {}
    for day in sorted(found.rows):
        written[day_of(day)] = folder / f"{day_of(day)}{''.join(Path(source.delivery.path).suffixes)}"
        writer.write(day, written[day_of(day)])
    return found, written
