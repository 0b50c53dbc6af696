"""Small published partitions: rows that a test makes up, filled in from the sound row."""

from pipeline.runtime.settings import Settings
from pipeline.storage.publish import publish
from pipeline.tables.registry import table_named
from tests.unit.pipeline.staged_factory import SOUND, pass_audit, stage


def user(number: int) -> str:
    """The pseudonym of a user."""
    return f"{number:032x}"


def publish_rows(settings: Settings, table: str, ds: str, rows: list[dict[str, object]], run: str = "") -> None:
    """Publishes the rows of a day; what a row leaves out is as in the sound row."""
    name = run or f"r-{ds}"
    whole = [{**SOUND[table], "ds": ds, **row} for row in rows]
    pass_audit(settings, stage(settings, table, {ds: whole}, name))
    publish(settings, table_named(table), name)
