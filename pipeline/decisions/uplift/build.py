"""Find whom an ad changes, where an experiment or a randomised log can show it.

    python -m pipeline ads uplift --ds 2026-03-31 --run R

Reads the experiments of `$TIDEMARK_HOME/experiments/`, the campaigns with an [uplift] section, `events`, and
`user_features` of the day and of the nights before entry; writes staged partitions of `user_uplift` and
`uplift_judgements`, and a page per trial in `$TIDEMARK_HOME/reports/uplift/`. Without an experiment both tables are
empty. A file that is wrong ends it.
"""

import pyarrow as pa

from pipeline.runtime.settings import Settings
from pipeline.storage import staging
from pipeline.storage.catalog import file_schema
from pipeline.storage.files import DayFile, write_day
from pipeline.storage.reading import pinned_files, scan
from pipeline.tables.uplift import UPLIFT_JUDGEMENTS, USER_UPLIFT


def build(settings: Settings, ds: str, run: str) -> None:
    """Stages what every trial says by `ds`."""
    scan("user_features", ds, settings)  # published, or the message says what is missing
    inputs: dict[str, int] = {}
    for table in ("user_features", "events", "identities"):
        snapshot, _ = pinned_files(table, ds, ds, settings)
        inputs |= {table: snapshot} if snapshot else {}
    attempt = staging.begin(settings, USER_UPLIFT.name, run)
    file = DayFile(attempt.day(ds), file_schema(settings, USER_UPLIFT))
    judgements = _judgements(settings, ds, file)
    file.close()
    paths = {ds: [file.path]} if file.rows else {}
    staging.complete(attempt, [ds], paths, inputs, {"rows": {ds: file.rows}})
    reasons = staging.begin(settings, UPLIFT_JUDGEMENTS.name, run)
    table = pa.Table.from_pylist(judgements, schema=UPLIFT_JUDGEMENTS.schema)
    schema = file_schema(settings, UPLIFT_JUDGEMENTS)
    paths = {ds: [write_day(reasons.day(ds), table, schema)]} if judgements else {}
    staging.complete(reasons, [ds], paths, inputs, {"rows": {ds: len(judgements)}})


def _judgements(settings: Settings, ds: str, file: DayFile) -> list[dict[str, object]]:
    if not any(settings.home.glob("experiments/*.toml")) and not any(settings.home.glob("campaigns/*.toml")):
        print(f"uplift ds={ds}: no experiment is declared: nothing shows whom an ad changes")
        return []
    from pipeline.decisions.uplift.night import judge_trials  # learners take seconds to import

    return judge_trials(settings, ds, file)
