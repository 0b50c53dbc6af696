"""Which landed files a refresh takes: those that no finished refresh of its base has taken.

A file counts as taken once its refresh is finished (its row is in `intraday_refreshes`), so after any failure the next
refresh takes it again.
"""

import json
import shutil
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipeline.intraday.base import Base, instant
from pipeline.runtime.errors import FencedError
from pipeline.runtime.settings import Settings
from pipeline.sources.landed_file import LandedFile
from pipeline.storage import staging
from pipeline.storage.catalog import load_table
from pipeline.storage.publications import publications
from pipeline.storage.reading import published, read
from pipeline.tables.interests import USER_INTERESTS, USER_SIGNALS
from pipeline.tables.intraday import INTRADAY_REFRESHES, USER_HISTORY_INTRADAY
from pipeline.tables.schema import Table

Row = dict[str, object]
TIMES = ("base_published_at", "first_landed_at", "last_landed_at")


@dataclass(frozen=True)
class Plan:
    """`files` are taken. `anew`: the refresh starts from scratch, so these are all of them.

    `continues`: the rows of refreshes before are of the same base; those written in one of the `settled` hours may stay
    as they are.
    """

    files: list[LandedFile]
    anew: bool
    continues: bool
    settled: frozenset[str]

    @property
    def names(self) -> list[str]:
        return [file.name for file in self.files]


def finished(settings: Settings, day: str, run: str) -> list[Row]:
    """Rows of `intraday_refreshes` of a day in order, but for `run`: what it took, it redoes."""
    if day not in published(INTRADAY_REFRESHES.name, settings):
        return []
    rows: list[Row] = read(INTRADAY_REFRESHES.name, day, settings).to_pylist()
    return sorted((r for r in rows if r["run"] != run), key=lambda r: str(r["readable_at"]))


def drop_profiles(settings: Settings, before: list[Row]) -> None:
    """Removes what finished refreshes staged for their own scoring: a month of it is not needed."""
    for row in before:
        for table in (USER_INTERESTS, USER_SIGNALS):
            folder = staging.run_folder(settings, table.name, str(row["run"]))
            shutil.rmtree(folder, ignore_errors=True)


def publisher(settings: Settings, day: str) -> str:
    """The run whose `user_history_intraday` of a day is published; empty when there is none."""
    days = published(USER_HISTORY_INTRADAY.name, settings)
    return days[day].run if day in days else ""


def plan_refresh(landed: list[LandedFile], before: list[Row], base: Base, hour: str, published_by: str) -> Plan:
    """What a refresh in `hour` takes of the files `landed`; `before`: the finished refreshes.

    A file that changed or vanished since it was taken may have concerned anybody: everything starts from scratch. Nor
    is any row settled where the run that published them, `published_by`, was never finished.
    """
    current = _since_anew(before)
    if not current or _base_of(current[-1]) != (base.ds, base.published_at):
        return Plan(landed, True, False, frozenset())
    taken = {str(f["name"]): (f["bytes"], f["landed_at"]) for row in current for f in _files(row)}
    here = {file.name: (file.size, instant(file.modified)) for file in landed}
    if any(here.get(name) != mark for name, mark in taken.items()):
        return Plan(landed, True, True, frozenset())
    new = [file for file in landed if file.name not in taken]
    if published_by not in {row["run"] for row in current}:
        return Plan(new, False, True, frozenset())
    return Plan(new, False, True, frozenset(str(row["hour"]) for row in current) - {hour})


def told_of(plan: Plan, base: Base, day: str, hour: str, run: str) -> Row:
    """The columns of `intraday_refreshes` that the plan decides."""
    times = [instant(file.modified) for file in plan.files]
    files = [{"name": file.name, "bytes": file.size, "landed_at": instant(file.modified)} for file in plan.files]
    return {
        "ds": day,
        "hour": hour,
        "run": run,
        "base_ds": base.ds,
        "base_published_at": base.published_at,
        "anew": plan.anew,
        "files": files,
        "records": sum(file.records for file in plan.files),
        "first_landed_at": min(times, default=None),
        "last_landed_at": max(times, default=None),
    }


def as_facts(row: Row) -> Row:
    """The row as a manifest can keep it: times as texts."""
    kept: Row = json.loads(json.dumps(row, default=datetime.isoformat))
    return kept


def staged_row(settings: Settings, run: str) -> Row:
    """What the run's `user_history_intraday` says for the row of `intraday_refreshes`.

    To be added when the refresh is finished: readable_at, model_version, store_version, seconds. Raises StagingError
    when the run staged none.
    """
    (manifest,) = staging.current(settings, USER_HISTORY_INTRADAY.name, run)
    kept = manifest.facts["refresh"]
    assert isinstance(kept, dict)
    files = [{**f, "landed_at": datetime.fromisoformat(f["landed_at"])} for f in _files(kept)]
    times = {name: datetime.fromisoformat(kept[name]) for name in TIMES if kept[name]}
    return {**kept, "files": files, **times}


def _since_anew(rows: list[Row]) -> list[Row]:
    """The rows since the last start from scratch; files of earlier rows have been taken again."""
    starts = [number for number, row in enumerate(rows) if row["anew"]]
    return rows[starts[-1] :] if starts else []


def _base_of(row: Row) -> tuple[object, object]:
    return row["base_ds"], row["base_published_at"]


def _files(row: Row) -> list[dict[str, Any]]:
    files = row["files"]
    assert isinstance(files, list)
    return files


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
