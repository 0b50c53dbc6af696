"""Raw user ids → accounts, rows of erased persons → marks, and the hash that names an event.

The key is loaded inside the Python workers: it is never part of a plan, which Spark logs.
"""

from pathlib import Path

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pipeline.sources.user_key import load_user_key, pseudonym
from pipeline.storage.suppression import ERASED, fingerprint, suppressed
from spark_jobs.landing.map_source import UNKNOWN, UNREADABLE

EVENT_ID_COLUMNS = (
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


def pseudonymise(rows: DataFrame, home: Path, theirs: frozenset[str] = frozenset()) -> DataFrame:
    """`user_id`, the raw id, replaced by `account_id`; `erased` where that is an erased account or one of `theirs`."""
    folder = str(home)

    @F.arrow_udf("string")  # type: ignore[call-overload]
    def hashed(identities: pa.Array) -> pa.Array:
        key, erased = load_user_key(Path(folder)), suppressed(Path(folder))
        distinct = identities.dictionary_encode()
        names = [pseudonym(key, identity) for identity in distinct.dictionary.to_pylist()]
        if erased:
            names = [ERASED if name in theirs or fingerprint(name) in erased else name for name in names]
        return pa.array(names, pa.string()).take(distinct.indices)

    account = hashed(F.concat("platform", F.lit(":"), "user_id"))
    names = ["account_id" if name == "user_id" else name for name in rows.columns]
    return rows.withColumn("account_id", account).select(*names)


def forget_erased(rows: DataFrame) -> DataFrame:
    """Of an erased person's row only the fact that it landed remains: day, platform, file and reason."""
    erased = F.coalesce(F.col("account_id") == ERASED, F.col("reject_reason") == ERASED, F.lit(False))
    kept = {"ds", "platform", "source_file"}
    emptied = {n: F.when(~erased, F.col(n)) for n in rows.columns if n not in kept}
    return rows.withColumns({**emptied, "reject_reason": F.when(erased, ERASED).otherwise(F.col("reject_reason"))})


def name_events(rows: DataFrame) -> DataFrame:
    """Adds `event_id`: the first 32 hex characters of the SHA-256 of the event's content.

    Equal content gives an equal id on any day and in any file, whoever the account belongs to and whatever fields the
    platform has added that the source does not declare. Rejected rows have none.
    """
    content = F.struct(
        "platform",
        F.col("account_id").alias("user_id"),  # the name under which it has been hashed since version 1.0
        *EVENT_ID_COLUMNS,
        F.unix_micros("event_time").alias("event_time"),
        F.array_sort(F.map_entries(_declared("attributes"))).alias("attributes"),
    )
    digest = F.substring(F.sha2(F.to_json(content), 256), 1, 32)
    return rows.withColumn("event_id", F.when(F.col("reject_reason").isNull(), digest))


def _declared(attributes: str) -> Column:
    """The attributes without the fields that the source does not declare; null, as without any, when none is left."""
    declared = F.map_filter(
        attributes, lambda name, _: ~(F.startswith(name, F.lit(UNKNOWN)) | F.startswith(name, F.lit(UNREADABLE)))
    )
    return F.when(F.size(declared) > 0, declared)
