"""The identity map: which ids on several platforms are one person's."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
from pyspark.sql import DataFrame, SparkSession

from pipeline.runtime.errors import LandingError

COLUMNS = ("platform", "raw_id", "person_id")


def read_people(spark: SparkSession, path: Path) -> DataFrame:
    """Rows (platform, raw_id, person_id) of landing/identity.csv; none when there is no such file.

    Raises LandingError when it lacks a column or gives one id to two persons.
    """
    schema = ", ".join(f"{column} string" for column in COLUMNS)
    if not path.exists():
        return spark.createDataFrame([], schema)
    return spark.createDataFrame(_checked(path), schema)


def _checked(path: Path) -> pa.Table:
    options = pacsv.ConvertOptions(
        column_types=dict.fromkeys(COLUMNS, pa.string()), include_columns=list(COLUMNS)
    )
    try:
        people = pacsv.read_csv(path, convert_options=options)
    except (pa.ArrowInvalid, KeyError) as error:
        raise LandingError(
            f"{path.name}: expected a CSV with the columns {', '.join(COLUMNS)}, found: "
            f"{str(error).splitlines()[0]}; correct the file"
        ) from None
    distinct = people.group_by(list(COLUMNS)).aggregate([])
    persons = distinct.group_by(["platform", "raw_id"]).aggregate([("person_id", "count")])
    twice = persons.filter(pc.greater(persons["person_id_count"], 1)).num_rows
    if twice:
        # The ids themselves are personal, so none is shown.
        raise LandingError(
            f"{path.name}: expected one person per (platform, raw_id), found {twice} ids with "
            "several; correct the file"
        )
    return distinct
