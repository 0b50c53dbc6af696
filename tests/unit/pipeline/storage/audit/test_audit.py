"""The audit as a whole: what passes, what is refused, and what the refusal says."""

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.commands import cli
from pipeline.runtime import program
from pipeline.runtime.errors import AuditError, StagingError
from pipeline.runtime.settings import Settings
from pipeline.storage import staging
from pipeline.storage.audit import data_docs
from pipeline.storage.audit.audit_table import audit
from pipeline.storage.publish import publish
from pipeline.tables.registry import TABLES, table_named
from tests.unit.pipeline import staged_factory as factory
from tests.unit.pipeline.staged_factory import DAY, USER, event, stage
from tests.unit.spark_jobs.published_rows import publish_rows

EVENTS = table_named("events")
NEXT = "2024-03-06"


def refusal(settings: Settings, table: str = "events", run: str = "r1") -> str:
    """The message of the audit, which must fail and leave no receipt."""
    with pytest.raises(AuditError) as error:
        audit(settings, table_named(table), run)
    assert not (staging.run_folder(settings, table, run) / "audit.json").exists()
    return str(error.value)


def staged_file(settings: Settings, table: str = "events", run: str = "r1") -> Path:
    [manifest] = staging.current(settings, table, run)
    [path] = manifest.days[DAY]
    return Path(path)


def publish_beside(home: Settings, table: str, users: list[str]) -> None:
    """Publishes what the table is held against: the events that a history counts, the users that are known."""
    if table == "user_history":
        publish_rows(home, EVENTS, [event(1)], [DAY])
    if table in ("user_interests", "user_signals", "user_features"):
        histories = [{**factory.SOUND["user_history"], "user_id": user} for user in users]
        publish_rows(home, table_named("user_history"), histories, [DAY])


# ---- what passes


@pytest.mark.parametrize("table", [name for name in TABLES if name != "accounting"])
def test_a_sound_row_of_every_table_passes(home: Settings, table: str) -> None:
    row = factory.SOUND[table]
    if table == "item_topics":  # held against the topics of the run
        stage(home, "topics", {DAY: [factory.SOUND["topics"]]})
    if table == "landed_files":  # against the raw rows of the run
        stage(home, "raw_events", {DAY: [factory.SOUND["raw_events"]] * 2})
    publish_beside(home, table, [USER])
    manifest = stage(home, table, {str(row["ds"]): [row]}, facts={"rows": {str(row["ds"]): 1}})
    receipt = audit(home, table_named(table), "r1")
    assert receipt.attempts == {"all": manifest.attempt}
    assert receipt.days[str(row["ds"])]["rows"] == 1
    assert staging.audited(home, table, "r1")[1] == receipt


def test_days_without_rows_pass_with_zero(home: Settings) -> None:
    stage(home, "events", {DAY: [], NEXT: []}, facts={"rows": {DAY: 0, NEXT: 0}})
    receipt = audit(home, EVENTS, "r1")
    assert receipt.days == {DAY: {"rows": 0, "digest": "0"}, NEXT: {"rows": 0, "digest": "0"}}


def test_the_digest_ignores_order_and_files_but_no_value(home: Settings) -> None:
    rows = [event(n, price=n / 3, text=None if n % 2 else "ü") for n in range(7)]
    digests = {}
    for run, some, cut in (
        ("whole", rows, 1),
        ("cut", rows[::-1], 3),
        ("one less", rows[1:], 1),
        ("one twice", [*rows[1:], rows[1]], 1),
        ("other price", [*rows[:-1], event(6, price=2.1)], 1),
        ("other order id", [*rows[:-1], {**rows[6], "attributes": [("order", "8")]}], 1),
    ):
        folder = run.replace(" ", "-")
        stage(
            home,
            "quarantine" if run == "none" else "events",
            {DAY: some},
            folder,
            files_per_day=cut,
        )
        if run == "one twice":
            assert "event_id is unique within ds" in refusal(home, run=folder)
            continue
        digests[run] = audit(home, EVENTS, folder).days[DAY]["digest"]
    assert digests["whole"] == digests["cut"]
    assert len(set(digests.values())) == 4


def test_parts_are_audited_together(home: Settings) -> None:
    users = ("bucket-0", "0" * 32), ("bucket-1", "1" * 32)
    publish_beside(home, "user_features", [user for _, user in users])
    for part, user in users:
        row = {**factory.SOUND["user_features"], "user_id": user}
        stage(home, "user_features", {DAY: [row]}, part=part, facts={"rows": {DAY: 1}})
    receipt = audit(home, table_named("user_features"), "r1")
    assert receipt.days[DAY]["rows"] == 2
    assert set(receipt.attempts) == {"bucket-0", "bucket-1"}


# ---- broken files


def test_a_truncated_file_is_refused(home: Settings) -> None:
    stage(home, "events", {DAY: [event(1)]})
    path = staged_file(home)
    path.write_bytes(path.read_bytes()[:-30])
    message = refusal(home)
    assert message.startswith(
        f"events ds={DAY} file 0.parquet: expected Parquet with a footer, found a truncated or damaged file ("
    )
    assert message.endswith("; run the job again")


def test_an_empty_file_is_refused(home: Settings) -> None:
    stage(home, "events", {DAY: [event(1)]})
    staged_file(home).write_bytes(b"")
    assert refusal(home) == (
        f"events ds={DAY} file 0.parquet: expected Parquet, found an empty file (0 bytes); run the job again"
    )


def test_a_missing_file_is_refused(home: Settings) -> None:
    stage(home, "events", {DAY: [event(1)]})
    staged_file(home).unlink()
    assert refusal(home) == (
        f"events ds={DAY} file 0.parquet: expected the file of the manifest, found none; run the job again"
    )


def test_a_file_without_rows_is_refused(home: Settings) -> None:
    stage(home, "events", {DAY: [event(1)]})
    factory.write(staged_file(home), factory.arrow("events", []))
    assert refusal(home) == (
        f"events ds={DAY} file 0.parquet: expected at least one row, found none; leave the file out"
    )


def test_a_flipped_byte_is_refused(home: Settings) -> None:
    stage(home, "events", {DAY: [event(n) for n in range(2000)]})
    path = staged_file(home)
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1  # within the pages: 2,000 ids fill most of the file
    path.write_bytes(data)
    message = refusal(home)
    assert message.startswith(
        f"events ds={DAY} file 0.parquet row group 0: expected pages as they were written, found damage ("
    )


def test_rows_of_another_day_are_refused(home: Settings) -> None:
    rows = [event(1), event(2, ds="2024-03-04", arrival_ds="2024-03-04")]
    stage(home, "events", {DAY: rows})
    assert refusal(home) == (
        f"events ds={DAY} file 0.parquet row group 0: expected ds = {DAY} in every row, found "
        f"2024-03-04..{DAY} and 0 nulls; run the job again"
    )


def test_another_day_is_refused_in_any_row_group(home: Settings) -> None:
    stage(home, "events", {DAY: [event(1)]})
    rows = factory.arrow("events", [event(1), event(2), event(3), event(4, ds=NEXT)])
    factory.write(staged_file(home), rows, row_group_size=2)
    assert refusal(home) == (
        f"events ds={DAY} file 0.parquet row group 1: expected ds = {DAY} in every row, found "
        f"{DAY}..{NEXT} and 0 nulls; run the job again"
    )


def test_a_required_column_that_may_hold_nulls_is_refused(home: Settings) -> None:
    stage(home, "events", {DAY: [event(1)]})
    rows = factory.arrow("events", [event(1)])
    loose = pa.schema([field.with_nullable(True) for field in rows.schema])
    factory.write(staged_file(home), rows.cast(loose))
    assert refusal(home) == (
        f"events ds={DAY} file 0.parquet: expected ds as a required column, found one that may "
        "hold nulls; write the file with catalog.file_schema"
    )


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda rows: rows.drop_columns(["price"]), "(missing ['price'], unknown [])"),
        (lambda rows: rows.append_column("x", pa.array([1])), "(missing [], unknown ['x'])"),
        (lambda rows: rows.select(rows.schema.names[::-1]), "(other order)"),
        (
            lambda rows: rows.set_column(9, "quantity", pa.array([1], pa.int64())),
            "expected quantity of type double, found int64",
        ),
        (
            lambda rows: rows.set_column(6, "event_time", rows["event_time"].cast(pa.timestamp("us"))),
            "expected event_time of type timestamp[us, tz=UTC], found timestamp[us]",
        ),
    ],
)
def test_another_schema_is_refused(home: Settings, change: object, found: str) -> None:
    stage(home, "events", {DAY: [event(1)]})
    assert callable(change)
    rows = change(factory.arrow("events", [event(1)]))
    factory.write(staged_file(home), rows)
    message = refusal(home)
    assert found in message
    assert message.endswith("write the table as pipeline/tables/registry.py declares it")


# ---- broken rows


def test_a_broken_rule_is_named_with_day_value_row_and_page(home: Settings) -> None:
    rows = {DAY: [event(1), event(2, price=-1.5)], NEXT: [event(3, ds=NEXT, arrival_ds=NEXT)]}
    stage(home, "events", rows)
    page = data_docs.data_docs_page(home, "events", "r1")
    assert refusal(home) == (
        f"events: ds={DAY}: expected price is between 0 and 1000000 "
        "(ExpectColumnValuesToBeInSet), found 1 rows against it, such as "
        f"{{ds: {DAY}, event_id: {2:032x}, price: -1.5}}; nothing is published; see {page}"
    )
    assert page.exists()


def test_a_raw_user_id_is_never_shown_nor_kept(home: Settings) -> None:
    stage(home, "events", {DAY: [event(1, account_id="customer-17850")]})
    message = refusal(home)
    assert "expected account_id matches ^[0-9a-f]{32}$ (ExpectColumnValuesToMatchRegex)" in message
    assert "account_id: withheld: no pseudonym" in message
    kept = [*(home.home / "great_expectations").rglob("*"), *home.reports.rglob("*.html")]
    assert "customer-17850" not in message + "".join(p.read_text() for p in kept if p.is_file())


def test_a_pseudonym_is_shown(home: Settings) -> None:
    publish_beside(home, "user_history", [USER])
    row = {**factory.SOUND["user_history"], "last_ds": NEXT}
    stage(home, "user_history", {DAY: [row]})
    assert f"{{ds: {DAY}, user_id: {USER}, first_ds: {DAY}, last_ds: {NEXT}}}" in refusal(home, "user_history")


def test_a_duplicate_key_is_shown(home: Settings) -> None:
    stage(home, "events", {DAY: [event(1), event(2), event(2)]}, files_per_day=3)
    message = refusal(home)
    assert "expected event_id is unique within ds" in message
    assert f"found 2 rows against it, such as {{ds: {DAY}, event_id: {2:032x}}}" in message


# ---- receipts


def test_a_failed_audit_withdraws_the_older_receipt(home: Settings) -> None:
    stage(home, "events", {DAY: [event(1)]})
    audit(home, EVENTS, "r1")
    stage(home, "events", {DAY: [event(1, price=-1.0)]})
    refusal(home)
    with pytest.raises(StagingError, match="no passed audit"):
        publish(home, EVENTS, "r1")


def test_only_audited_rows_are_published_and_a_rerun_is_a_no_op(home: Settings) -> None:
    changed = []
    for _ in range(2):
        stage(home, "events", {DAY: [event(1), event(2)]})
        audit(home, EVENTS, "r1")
        changed.append(publish(home, EVENTS, "r1"))
    assert changed[0][DAY].rows == 2
    assert changed[1] == {}


# ---- the command


def command(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipeline", "audit", *arguments],
        capture_output=True,
        text=True,
    )


def test_the_command_audits_several_tables_and_ends_with_one_clear_line(home: Settings) -> None:
    stage(home, "events", {DAY: [event(1)]})
    stage(home, "quarantine", {DAY: [{**factory.SOUND["quarantine"], "reason": ""}]})
    both = command(home, "--table", "events", "--table", "quarantine", "--run", "r1")
    assert both.returncode == 1
    assert both.stdout.startswith("events: 1 days, 1 rows pass")
    last = both.stderr.strip().splitlines()[-1]
    assert last.startswith(f"error: quarantine: ds={DAY}: expected reason is not empty")


def test_wrong_usage_ends_with_2(
    home: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["pipeline", "audit", "--table", "event", "--run", "r1"])
    with pytest.raises(SystemExit) as end:
        program.run(cli.main)
    assert end.value.code == 2
    assert "found 'event'" in capsys.readouterr().err
