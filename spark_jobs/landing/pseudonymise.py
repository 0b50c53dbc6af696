"""Raw user ids → accounts, rows of erased persons → marks, and the hash that names an event.

The key is loaded inside the Python workers: it is never part of a plan, which Spark logs.
"""

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pipeline.sources.user_key import fingerprint_of, load_user_key, pseudonym, workers_key
from pipeline.storage.suppression import ERASED, fingerprint, suppressed
from pipeline.tables.registry import RAW_EVENTS
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


CONTENT = "content"
KNOWN = 1 << 18  # names of accounts that a worker remembers
OF_ERASED = ("ds", "platform", "source_file", "arrival_ds")  # what remains of an erased person's row, with the reason


class Accounts:
    """Names accounts with the key; ERASED those whose fingerprint is `erased`, and `theirs`."""

    def __init__(self, key: bytes, erased: Collection[str], theirs: Collection[str] = ()) -> None:
        self._key, self._erased, self._theirs = key, erased, theirs
        self._known = lru_cache(KNOWN)(self._name)  # who acts once acts again, soon and in other batches

    def named(self, identities: pa.Array) -> pa.Array:
        """`<platform>:<raw id>` → account, each distinct one named once."""
        distinct = identities.dictionary_encode()
        names = [self._known(identity) for identity in distinct.dictionary.to_pylist()]
        return pa.array(names, pa.string()).take(distinct.indices)

    def _name(self, identity: str) -> str:
        name = pseudonym(self._key, identity)
        if self._erased and (name in self._theirs or fingerprint(name) in self._erased):
            return ERASED
        return name


@dataclass(frozen=True)
class Naming:
    """What tasks name accounts with, but for the key: that is loaded where they run, and has to be the driver's.

    The list of the erased goes with them, since a worker without it would let them in again.
    """

    home: Path
    fingerprint: str
    erased: frozenset[str]
    theirs: frozenset[str] = frozenset()

    @classmethod
    def of(cls, home: Path, theirs: frozenset[str] = frozenset()) -> "Naming":
        """In the driver, which makes the key of a new home: not racing workers, and none that lacks it."""
        return cls(home, fingerprint_of(load_user_key(home)), suppressed(home), theirs)

    def accounts(self) -> Accounts:
        """In a task. Raises SettingsError without the driver's key."""
        return Accounts(workers_key(self.home, self.fingerprint), self.erased, self.theirs)


def pseudonymise(rows: DataFrame, home: Path) -> DataFrame:
    """`user_id`, the raw id, replaced by `account_id`; `erased` where that is an erased account."""
    naming = Naming.of(home)

    @F.arrow_udf("string")  # type: ignore[call-overload]
    def named(identities: pa.Array) -> pa.Array:
        return naming.accounts().named(identities)

    account = named(F.concat("platform", F.lit(":"), "user_id"))
    names = ["account_id" if name == "user_id" else name for name in rows.columns]
    return rows.withColumn("account_id", account).select(*names)


def event_content() -> Column:
    """What an event's id is made of, but platform and account: JSON of its columns.

    Whatever fields the platform has added that the source does not declare.
    """
    return F.to_json(
        F.struct(
            *EVENT_ID_COLUMNS,
            F.unix_micros("event_time").alias("event_time"),
            F.array_sort(F.map_entries(_declared("attributes"))).alias("attributes"),
        )
    )


def event_ids(platforms: pa.Array, accounts: pa.Array, contents: pa.Array) -> pa.Array:
    """The first 32 hex characters of the SHA-256 of each event's content; null where that is.

    Equal content gives an equal id on any day and in any file, whoever the account belongs to. The JSON that is hashed
    calls the account `user_id`, its name until version 1.0.
    """
    begins = {name: f'{{"platform":{json.dumps(name)},"user_id":"' for name in platforms.unique().to_pylist()}
    digest = hashlib.sha256
    rows = zip(platforms.to_pylist(), accounts.to_pylist(), contents.to_pylist(), strict=True)
    found = [
        content and digest(f'{begins[platform]}{account}",{content[1:]}'.encode()).hexdigest()[:32]
        for platform, account, content in rows
    ]
    return pa.array(found, pa.string())


def raw_rows(rows: pa.RecordBatch, accounts: Accounts) -> pa.RecordBatch:
    """Rows of `reject_rows` with CONTENT → rows of `raw_events`.

    Of an erased person's row only the fact that it landed remains: day, platform, file and reason.
    """
    found = dict(zip(rows.schema.names, rows.columns, strict=True))
    found["account_id"] = accounts.named(pc.binary_join_element_wise(found["platform"], found["user_id"], ":"))
    found["arrival_ds"] = found["ds"]
    erased = pc.or_(
        pc.fill_null(pc.equal(found["account_id"], ERASED), False),
        pc.fill_null(pc.equal(found["reject_reason"], ERASED), False),
    )
    if pc.any(erased).as_py():
        kept = pa.array(np.arange(len(rows)), mask=erased.to_numpy(zero_copy_only=False))
        found |= {name: column.take(kept) for name, column in found.items() if name not in OF_ERASED}
        found["reject_reason"] = pc.if_else(erased, ERASED, found["reject_reason"])
    found["event_id"] = event_ids(found["platform"], found["account_id"], found[CONTENT])
    columns = [found[name].cast(RAW_EVENTS.schema.field(name).type) for name in RAW_EVENTS.schema.names]
    return pa.RecordBatch.from_arrays(columns, schema=RAW_EVENTS.schema)


def _declared(attributes: str) -> Column:
    """The attributes without the fields that the source does not declare; null, as without any, when none is left."""
    declared = F.map_filter(
        attributes, lambda name, _: ~(F.startswith(name, F.lit(UNKNOWN)) | F.startswith(name, F.lit(UNREADABLE)))
    )
    return F.when(F.size(declared) > 0, declared)
