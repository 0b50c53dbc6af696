"""Whether a newer refresh has published between two steps of this one."""

from pipeline.runtime.errors import FencedError
from pipeline.runtime.settings import Settings
from pipeline.storage import staging
from pipeline.storage.catalog import load_table
from pipeline.storage.publish import publications
from pipeline.tables.schema import Table


def check_own(settings: Settings, table: Table, ds: str, run: str) -> None:
    """Raises FencedError unless readers of `ds` see what `run` staged."""
    _, receipt = staging.audited(settings, table.name, run)
    seen = publications(load_table(settings, table)).get(ds)
    if seen is None or seen.digest != receipt.days[ds]["digest"]:
        raise FencedError(
            f"{table.name} ds={ds}: expected the rows of run {run!r}, found "
            f"{f'those of run {seen.run!r}' if seen else 'none'} published; a newer refresh takes "
            "the same files, so that nothing is to be done; without one, run the hour again"
        )
