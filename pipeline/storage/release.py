"""Release what a run has staged: audit all of it, then publish it.

    python -m pipeline release --table events --table quarantine --table accounting --run R

Every table is audited before the first is published, so a table that fails holds back the others of the same step. Each
has its own receipt and its own transaction, in the order of the command line. Exit code 4: an audit failed. The rows
will not improve, so it is not retried. Any other failure may be retried; what is published already is a no-op.
"""

from collections.abc import Sequence

from pipeline.runtime.settings import Settings
from pipeline.storage.audit.audit_table import audit
from pipeline.storage.night import keep_night
from pipeline.storage.publish import publish
from pipeline.tables.schema import Table

COMPLETE_A_NIGHT = ("user_features", "segments")  # with these, tables of a day may be consistent again


def release(settings: Settings, tables: Sequence[Table], run: str) -> None:
    """Audits, then publishes. If it raises AuditError, none of `tables` is published."""
    for table in tables:
        receipt = audit(settings, table, run)
        rows = sum(int(str(day["rows"])) for day in receipt.days.values())
        print(f"{table.name}: {len(receipt.days)} days, {rows} rows pass, {receipt.seconds:.1f} s")
    nights: set[str] = set()
    for table in tables:
        changed = publish(settings, table, run)
        if table.name in COMPLETE_A_NIGHT:
            nights |= changed.keys()
        rows = sum(publication.rows for publication in changed.values())
        print(f"{table.name}: published {len(changed)} days, {rows} rows")
    for ds in nights:
        keep_night(settings, ds)
