"""Decide who is shown which ad tomorrow.

    python -m pipeline ads policy --ds 2026-03-31 --run R

Reads the campaigns of `$TIDEMARK_HOME/campaigns/`, `user_features` of the day, `events` of each campaign's feedback
days and the policy in place; writes staged partitions of `ad_policy` and `policy_judgements`. A campaign file that is
wrong ends it: yesterday's policies stay in place.
"""

import pyarrow as pa

from pipeline.decisions.campaigns.campaign import load_campaigns
from pipeline.decisions.campaigns.night import Night, prepare
from pipeline.decisions.campaigns.serve import user_batches
from pipeline.runtime.settings import Settings
from pipeline.storage import staging
from pipeline.storage.catalog import file_schema
from pipeline.storage.files import DayFile, write_day
from pipeline.storage.inputs import Pins
from pipeline.storage.night import require_together
from pipeline.storage.reading import pinned_files, scan
from pipeline.tables.policies import AD_POLICY, POLICY_JUDGEMENTS


def build(settings: Settings, ds: str, run: str) -> None:
    """Stages the day's policies of all campaigns; both tables are empty without any."""
    scan("user_features", ds, settings)  # published, or the message says what is missing
    require_together(Pins(settings), ds, ("user_features", "segment_members"))
    campaigns = load_campaigns(settings)
    inputs: dict[str, int] = {}
    for table, first in (("user_features", ds), ("segment_members", ds), ("events", ""), ("identities", "")):
        snapshot, _ = pinned_files(table, first, ds, settings)
        inputs |= {table: snapshot} if snapshot else {}
    nights = [prepare(campaign, settings, ds) for campaign in campaigns]
    attempt = staging.begin(settings, AD_POLICY.name, run)
    file = DayFile(attempt.day(ds), file_schema(settings, AD_POLICY))
    judgements = [_write(night, settings, file) for night in nights]
    file.close()
    _complete(attempt, ds, [file.path] if file.rows else [], file.rows, inputs)
    reasons = staging.begin(settings, POLICY_JUDGEMENTS.name, run)
    table = pa.Table.from_pylist(judgements, schema=POLICY_JUDGEMENTS.schema)
    schema = file_schema(settings, POLICY_JUDGEMENTS)
    paths = [write_day(reasons.day(ds), table, schema)] if judgements else []
    _complete(reasons, ds, paths, len(judgements), inputs)


def _write(night: Night, settings: Settings, file: DayFile) -> dict[str, object]:
    """Writes a campaign's rows; returns its judgement."""
    admitted = users = 0
    for batch in user_batches(settings, night.ds, night.campaign.segment_by):
        rows = night.rows(batch)
        file.write(rows)
        admitted, users = admitted + rows.num_rows, users + len(batch)
    judgement = night.judgement(admitted, users - admitted)
    print(
        f"ad_policy ds={night.ds} {night.campaign.name}: {admitted} users, {night.label}, "
        f"{judgement['decision']}: {judgement['reason']}"
    )
    return judgement


def _complete(attempt: staging.Attempt, ds: str, paths: list[str], rows: int, inputs: dict[str, int]) -> None:
    staging.complete(attempt, [ds], {ds: paths}, inputs, {"rows": {ds: rows}})
