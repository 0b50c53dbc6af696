"""Raw user ids → pseudonyms, and the content hash that names an event.

The key is loaded inside the Python workers: it is never part of a plan, which Spark logs.
"""

from pathlib import Path

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pipeline.user_key import load_user_key, pseudonym

EVENT_ID_COLUMNS = (
    "platform", "user_id", "item_id", "event_type", "quantity", "price", "query", "text", "rating",
    "campaign_id", "propensity",
)  # fmt: skip


def pseudonymise(rows: DataFrame, people: DataFrame, home: Path) -> DataFrame:
    """`user_id` replaced by its pseudonym.

    `people` (platform, raw_id, person_id) joins the ids that one person has on several platforms;
    a pair (platform, raw_id) may occur once.
    """
    folder = str(home)

    @F.arrow_udf("string")  # type: ignore[call-overload]
    def hashed(identities: pa.Array) -> pa.Array:
        key = load_user_key(Path(folder))
        distinct = identities.dictionary_encode()
        names = [pseudonym(key, identity) for identity in distinct.dictionary.to_pylist()]
        return pa.array(names, pa.string()).take(distinct.indices)

    person = F.concat(F.lit("person:"), "person_id")
    alone = F.concat("platform", F.lit(":"), "user_id")
    known = people.withColumnRenamed("platform", "of_platform")
    same = (F.col("platform") == F.col("of_platform")) & (F.col("user_id") == F.col("raw_id"))
    joined = rows.join(F.broadcast(known), same, "left")
    return joined.withColumn("user_id", hashed(F.coalesce(person, alone))).select(*rows.columns)


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
