"""Take a published day away from readers."""

import warnings

from pyiceberg.exceptions import CommitFailedException, ValidationException

from pipeline.runtime.errors import FencedError, LandingError, NotPublishedError
from pipeline.runtime.settings import Settings
from pipeline.storage.catalog import own_table
from pipeline.storage.lineage import Lineage
from pipeline.storage.publications import UNPUBLISHED, Publication, publications
from pipeline.storage.publish import CONFLICTS
from pipeline.tables.registry import RAW_EVENTS
from pipeline.tables.schema import Table


def unpublish(settings: Settings, table: Table, ds: str) -> Publication:
    """Removes a day's rows in one transaction; what was made from them is stale from then on.

    Returns what was published. Raises NotPublishedError when nothing is, and LandingError when the rows are the only
    record of files that landing was purged of.
    """
    check_landed(settings, table, ds)
    for _ in range(CONFLICTS):
        iceberg = own_table(settings, table)
        published = publications(iceberg).get(ds)
        if iceberg is None or published is None:
            raise NotPublishedError(f"{table.name} ds={ds}: not published, so nothing to take away")
        try:
            with warnings.catch_warnings(), iceberg.transaction() as transaction:
                warnings.filterwarnings("ignore", "Delete operation did not match")
                transaction.delete(f"ds = '{ds}'", snapshot_properties={UNPUBLISHED: ds})
                transaction.remove_properties(f"pub.{ds}")
        except (CommitFailedException, ValidationException):
            continue
        return published
    raise FencedError(f"{table.name}: {CONFLICTS} conflicting publishers in a row; try again later")


def check_landed(settings: Settings, table: Table, ds: str) -> None:
    """Raises LandingError when a day of `raw_events` could not be made again, since files of it have vanished."""
    if table is not RAW_EVENTS or settings.forget_vanished:
        return
    changed = Lineage(settings, [table.name]).landing_changes().get(ds)
    if changed and changed.vanished:
        raise LandingError(
            f"{table.name} ds={ds}: holds the only records of {len(changed.vanished)} files that are not in landing "
            f"any more, the first {changed.vanished[0]}; put them back, or take their rows away with "
            "`python -m pipeline repair --vanished`"
        )
