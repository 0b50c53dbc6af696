"""What days still lack, for whoever is about to load them: what their sources say, and what was read before.

Landing may be purged once a day was read: its raw rows are the record from then on, so files that are in the ledger and
not there any more are not waited for.
"""

from collections.abc import Sequence

from pipeline.runtime.errors import LandingError
from pipeline.runtime.settings import Settings
from pipeline.sources.landing import incomplete, missing
from pipeline.storage.declared import arrow_dataset_of
from pipeline.storage.reading import pinned_files
from pipeline.tables.registry import LANDED_FILES

NAMED = 3  # of what days lack, in one message


def lacking(settings: Settings, days: Sequence[str]) -> dict[str, list[str]]:
    """What each of the days still lacks, in words, by day; days that are complete are left out."""
    found = incomplete(settings, days)
    return incomplete(settings, list(found), purged=purged(settings, list(found))) if found else {}


def lacking_files(settings: Settings, ds: str) -> list[str]:
    """The sources that should have a file of `ds` and never had one, in words."""
    if not missing(settings, ds):
        return []
    return missing(settings, ds, {platform for _, platform in purged(settings, [ds])})


def require_complete(settings: Settings, days: Sequence[str]) -> None:
    """Raises LandingError naming what the days still lack."""
    found = [f"{ds}: {text}" for ds, texts in lacking(settings, days).items() for text in texts]
    if found:
        more = f" (and {len(found) - NAMED} more)" if len(found) > NAMED else ""
        raise LandingError(
            f"{'; '.join(found[:NAMED])}{more}; wait for the delivery, or go on with what is there: --incomplete "
            "takes a part of a day, --allow-empty a day without files"
        )


def purged(settings: Settings, days: Sequence[str]) -> set[tuple[str, str]]:
    """The (ds, platform) of which a file was read that is not there any more."""
    _, files = pinned_files(LANDED_FILES.name, min(days), max(days), settings)
    if not files:
        return set()
    read = arrow_dataset_of(LANDED_FILES, files).to_table(columns=["ds", "platform", "path"]).to_pylist()
    return {(it["ds"], it["platform"]) for it in read if not (settings.landing / it["path"]).exists()}
