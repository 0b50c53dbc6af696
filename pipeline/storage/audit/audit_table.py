"""One table's audit: its files, its rows against facts, then its suite of expectations."""

import time

from pipeline.runtime.errors import AuditError
from pipeline.runtime.settings import Settings
from pipeline.storage import provenance, staging
from pipeline.storage.audit.conservation import check_history_counts, check_sessions, check_users
from pipeline.storage.audit.expectations import Rule, rules_of
from pipeline.storage.audit.facts import (
    check_accounting,
    check_item_topics,
    check_landed_files,
    check_row_facts,
    list_lengths,
)
from pipeline.storage.audit.files import check_files
from pipeline.storage.audit.lean_import import lean
from pipeline.storage.audit.staged_rows import StagedRows, data_files, staged_rows
from pipeline.storage.audit.volume import check_volume
from pipeline.storage.staging import Manifest, Receipt
from pipeline.tables.schema import Table

NO_ROWS: dict[str, object] = {"rows": 0, "digest": "0"}
FAILURES_NAMED = 3
# Tables that are compared with others of the same run, or with their past.
BESIDE_OTHERS = {
    "raw_events": check_volume,
    "accounting": check_accounting,
    "item_topics": check_item_topics,
    "landed_files": check_landed_files,
    "sessions": check_sessions,
    "user_history": check_history_counts,
    "user_interests": check_users,
    "user_signals": check_users,
    "user_features": check_users,
}


def audit(settings: Settings, table: Table, run: str) -> Receipt:
    """Checks what `run` staged of a table and writes the receipt of a passed audit.

    Raises AuditError, and leaves no receipt, when anything is not as declared.
    """
    began = time.monotonic()
    (staging.run_folder(settings, table.name, run) / "audit.json").unlink(missing_ok=True)
    manifests = staging.current(settings, table.name, run)
    staging.check_inputs(settings, manifests)
    provenance.check_read(settings, manifests)
    rows = check_files(table, manifests)
    check_row_facts(table.name, manifests, rows)
    if table.name in BESIDE_OTHERS:
        BESIDE_OTHERS[table.name](settings, run, manifests)
    days = dict.fromkeys(rows, NO_ROWS)
    if data_files(manifests):  # without rows there is nothing to check
        days |= _audit_rows(settings, table, run, manifests)
    receipt = Receipt(
        table=table.name,
        run=run,
        attempts={manifest.part: manifest.attempt for manifest in manifests},
        days=days,
        seconds=round(time.monotonic() - began, 3),
    )
    staging.write_receipt(settings, receipt)
    return receipt


def _audit_rows(settings: Settings, table: Table, run: str, manifests: list[Manifest]) -> dict[str, dict[str, object]]:
    with lean():
        from pipeline.storage.audit import suite  # GX takes a second to import

    rules = rules_of(table, settings, list_lengths(manifests))
    context = suite.open_context(settings)
    expectations = suite.build_suite(table.name, rules)
    with staged_rows(settings, table, manifests, rules) as rows:
        result = suite.run_suite(context, expectations, rows)
        page = suite.keep_result(settings, context, expectations, run, result)
        failed = [
            _describe(rule, rows, suite.evaluation_error(found))
            for rule, found in suite.failures(result, rules)[:FAILURES_NAMED]
        ]
        if not result.success:
            raise AuditError(f"{table.name}: {'; '.join(failed)}; nothing is published; see {page}")
        return rows.content()


def _describe(rule: Rule, rows: StagedRows, error: str) -> str:
    if error:
        return f"expected {rule.says} ({rule.expectation}), could not check: {error}"
    days = rows.failing_days(rule)
    where = ", ".join(f"ds={ds}" for ds in sorted(days)[:FAILURES_NAMED])
    if len(days) > FAILURES_NAMED:
        where += f" and {len(days) - FAILURES_NAMED} more days"
    shown = "; ".join(_row(row) for row in rows.failing_rows(rule))
    return (
        f"{where}: expected {rule.says} ({rule.expectation}), "
        f"found {sum(days.values())} rows against it, such as {shown}"
    )


def _row(row: dict[str, object]) -> str:
    return "{" + ", ".join(f"{name}: {value}" for name, value in row.items()) + "}"
