"""What a load makes of the identity map: `identities` of its days, and whose rows stay out."""

from collections.abc import Iterator

import polars as pl

from pipeline.runtime.days import shift
from pipeline.runtime.errors import LandingError
from pipeline.runtime.settings import Settings
from pipeline.sources.identity import ALWAYS, dated_digest, evolve, stated_map
from pipeline.sources.landing import IDENTITY
from pipeline.storage.inputs import LOG_BEGINS
from pipeline.storage.persons import VERSIONS, joined_as_of
from pipeline.storage.suppression import fingerprint, suppressed
from pipeline.tables.registry import IDENTITIES
from spark_jobs.engine.job import SparkJob, frame_of


def identity_versions(job: SparkJob) -> pl.DataFrame:
    """Every version of every account that is known when the job's days are loaded. Raises LandingError."""
    known, has_past = _known(job)
    stated = stated_map(job.settings)
    if stated is None:
        joined = joined_as_of(known, job.last)
        if len(joined):
            raise LandingError(
                f"{IDENTITY}: expected the identity map, by which {len(joined)} accounts are joined to persons; "
                "found no file; bring it back, or, if every account is to be on its own from now on, one with only "
                "the header"
            )
        return known
    return evolve(known, _without_erased(job.settings, stated), job.first, job.first if has_past else ALWAYS)


def identities(versions: pl.DataFrame, days: list[str]) -> Iterator[pl.DataFrame]:
    """Rows of `identities`, day by day: the versions up to it. All days together may be many times the map."""
    for ds in days:
        known = versions.filter(pl.col("since_ds") <= ds)
        yield known.with_columns(ds=pl.lit(ds)).select(IDENTITIES.schema.names)


def rows_by_day(versions: pl.DataFrame, days: list[str]) -> dict[str, int]:
    """How many versions each day holds."""
    return {ds: len(versions.filter(pl.col("since_ds") <= ds)) for ds in days}


def dated_rows(job: SparkJob) -> list[dict]:
    """For the record of each day: a fingerprint of what the map dates to it or before."""
    stated = stated_map(job.settings)
    return [{"ds": ds, "platform": "", "path": IDENTITY, "sha256": dated_digest(stated, ds)} for ds in job.days]


def erased_by_map(settings: Settings) -> frozenset[str]:
    """The accounts that the identity map gives to persons who were erased: their rows stay out too."""
    erased = suppressed(settings.home)
    stated = stated_map(settings) if erased else None
    if stated is None:
        return frozenset()
    theirs = [fingerprint(user) in erased for user in stated["user_id"]]
    return frozenset(stated["account_id"].filter(pl.Series(theirs, dtype=pl.Boolean)))


def _known(job: SparkJob) -> tuple[pl.DataFrame, bool]:
    """The versions that were published, and whether some were before the job.

    Those of before are an input of the job. When days are loaded again, the days themselves and the newest day also
    say when a change was first seen: the file may not. They are no input, since they are made from what this makes.
    """
    days = list(job.inputs.pins.days(IDENTITIES.name))
    before = max((ds for ds in days if ds < job.first), default="")
    known = job.read_small(IDENTITIES, before or LOG_BEGINS, shift(job.first, -1), VERSIONS)
    covered = before
    for ds in (max((ds for ds in days if job.first <= ds <= job.last), default=""), max(days, default="")):
        if ds > covered and ds >= job.first:
            rows = frame_of(IDENTITIES, job.inputs.pins.files(IDENTITIES.name, ds, ds), VERSIONS).collect()
            known = pl.concat([known, rows.filter(pl.col("since_ds") > covered)])
            covered = ds
    erased = suppressed(job.settings.home)
    if erased:
        gone = [fingerprint(a) in erased or fingerprint(u) in erased for a, u, _ in known.iter_rows()]
        known = known.filter(~pl.Series(gone, dtype=pl.Boolean))
    return known, bool(before)


def _without_erased(settings: Settings, stated: pl.DataFrame) -> pl.DataFrame:
    """The map without erased accounts; accounts of an erased person are on their own."""
    erased = suppressed(settings.home)
    if not erased:
        return stated
    gone = pl.Series([fingerprint(account) in erased for account in stated["account_id"]], dtype=pl.Boolean)
    alone = pl.Series([fingerprint(user) in erased for user in stated["user_id"]], dtype=pl.Boolean)
    return stated.with_columns(user_id=pl.when(alone).then("account_id").otherwise("user_id")).filter(~gone)
