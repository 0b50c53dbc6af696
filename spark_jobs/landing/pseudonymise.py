"""Raw user ids → pseudonyms, rows of erased persons → marks, and the hash that names an event.

The key is loaded inside the Python workers: it is never part of a plan, which Spark logs.
"""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.runtime.errors import LandingError
from pipeline.sources.user_key import load_user_key, pseudonym
from pipeline.storage.suppression import ERASED, fingerprint, suppressed

EVENT_ID_COLUMNS = (
    "platform",
    "user_id",
    "item_id",
    "event_type",
    "quantity",
    "price",
    "query",
    "text",
    "rating",
    "campaign_id",
    "propensity",
)

COLUMNS = ("platform", "raw_id", "person_id")


def pseudonymise(rows: DataFrame, people: DataFrame, home: Path) -> DataFrame:
    """`user_id` replaced by its pseudonym.

    `people` (platform, raw_id, person_id) joins the ids that one person has on several platforms; a pair (platform,
    raw_id) may occur once. An erased person's is `erased`, also where the identity map has since put another person's
    name on the id.
    """
    folder = str(home)

    @F.arrow_udf("string")  # type: ignore[call-overload]
    def hashed(identities: pa.Array) -> pa.Array:
        key, erased = load_user_key(Path(folder)), suppressed(Path(folder))
        distinct = identities.dictionary_encode()
        names = [pseudonym(key, identity) for identity in distinct.dictionary.to_pylist()]
        if erased:
            names = [ERASED if fingerprint(name) in erased else name for name in names]
        return pa.array(names, pa.string()).take(distinct.indices)

    person = F.concat(F.lit("person:"), "person_id")
    alone = F.concat("platform", F.lit(":"), "user_id")
    known = people.withColumnRenamed("platform", "of_platform")
    same = (F.col("platform") == F.col("of_platform")) & (F.col("user_id") == F.col("raw_id"))
    joined = rows.join(F.broadcast(known), same, "left")
    named = hashed(F.coalesce(person, alone))
    if suppressed(home):
        named = F.when(hashed(alone) == ERASED, ERASED).otherwise(named)
    return joined.withColumn("user_id", named).select(*rows.columns)


def forget_erased(rows: DataFrame) -> DataFrame:
    """Of an erased person's row only the fact that it landed remains: day, platform, file and reason."""
    erased = F.coalesce(F.col("user_id") == ERASED, F.col("reject_reason") == ERASED, F.lit(False))
    kept = {"ds", "platform", "source_file"}
    emptied = {n: F.when(~erased, F.col(n)) for n in rows.columns if n not in kept}
    return rows.withColumns({**emptied, "reject_reason": F.when(erased, ERASED).otherwise(F.col("reject_reason"))})


def name_events(rows: DataFrame) -> DataFrame:
    """Adds `event_id`: the first 32 hex characters of the SHA-256 of the event's content.

    Equal content gives an equal id on any day and in any file; rejected rows have none.
    """
    content = F.struct(
        *EVENT_ID_COLUMNS,
        F.unix_micros("event_time").alias("event_time"),
        F.array_sort(F.map_entries("attributes")).alias("attributes"),
    )
    digest = F.substring(F.sha2(F.to_json(content), 256), 1, 32)
    return rows.withColumn("event_id", F.when(F.col("reject_reason").isNull(), digest))


def read_people(spark: SparkSession, path: Path) -> DataFrame:
    """Rows (platform, raw_id, person_id) of landing/identity.csv; none when there is no such file.

    Raises LandingError when it lacks a column or gives one id to two persons.
    """
    schema = ", ".join(f"{column} string" for column in COLUMNS)
    if not path.exists():
        return spark.createDataFrame([], schema)
    return spark.createDataFrame(_checked(path), schema)


def _checked(path: Path) -> pa.Table:
    options = pacsv.ConvertOptions(column_types=dict.fromkeys(COLUMNS, pa.string()), include_columns=list(COLUMNS))
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
            f"{path.name}: expected one person per (platform, raw_id), found {twice} ids with several; correct the file"
        )
    return distinct
