"""Rows of `hourly_judgements`: made, staged, and read back."""

import numpy as np
import pyarrow as pa

from pipeline.runtime.days import shift
from pipeline.runtime.settings import Settings
from pipeline.storage import staging
from pipeline.storage.catalog import file_schema
from pipeline.storage.files import write_day
from pipeline.storage.reading import published, read
from pipeline.tables.intraday import HOURLY_JUDGEMENTS
from training.evaluation.intervals import Interval, intervals
from training.hourly.guard import Decision
from training.hourly.line import Row
from training.hourly.predicted import Quality

TABLE = HOURLY_JUDGEMENTS
GAIN = ("serving_gain", "serving_gain_low", "serving_gain_high")


def judgement(
    hour: str,
    base: str,
    serving: str,
    candidate: str | None,
    answers: dict[str, Quality],
    users: int,
    events: int,
    decision: Decision,
) -> Row:
    """A row without gains. `answers` are by version."""
    serves = {"champion": base, "serving": serving, "candidate": candidate}[decision.serves]
    return {
        "ds": hour[:10],
        "hour": hour,
        "base_version": base,
        "serving": serving,
        "candidate": candidate,
        "serves": serves,
        "next_candidate": None,
        "users": users,
        "events": events,
        "judged": _judged(answers) if users else [],
        "decision": decision.decision,
        "reason": decision.reason,
    }


def _judged(answers: dict[str, Quality]) -> list[Row]:
    metrics: dict[tuple[str, str], np.ndarray] = {}
    for version, answer in answers.items():
        lost = np.where(np.isfinite(answer.loss), answer.loss, np.nan)
        metrics |= {(version, "loss"): lost, (version, "recall"): answer.recall}
    found = intervals({" ".join(key): values for key, values in metrics.items()})
    rows = []
    for version in answers:
        row: Row = {"version": version}
        for metric in ("loss", "recall"):
            names = (metric, f"{metric}_low", f"{metric}_high")
            row |= dict(zip(names, found[f"{version} {metric}"], strict=True))
        rows.append(row)
    return rows


def recent_gains(settings: Settings, base: str, hour: str) -> list[tuple[int, Interval]]:
    """Users and gain over the champion of each earlier judged hour, newest first.

    Goes back as far as versions of the line have served without a break, within this day and the previous one.
    """
    found: list[tuple[int, Interval]] = []
    for row in reversed(_earlier(settings, hour)):
        if row["base_version"] != base or row["serving"] == base or row["decision"] == "rollback":
            break
        if row["serving_gain"] is not None:
            found.append((row["users"], tuple(row[name] for name in GAIN)))  # type: ignore[arg-type]
    return found


def judged_since(settings: Settings, base: str, hour: str) -> bool:
    """Whether a later hour of the champion's line has been judged."""
    days = [ds for ds in published(TABLE.name, settings) if ds >= hour[:10]]
    rows = [row for ds in days for row in read(TABLE.name, ds, settings).to_pylist()]
    return any(row["base_version"] == base and row["hour"] > hour for row in rows)


def stage(settings: Settings, run: str, row: Row, inputs: dict[str, int]) -> None:
    """Stages the whole day again: the unchanged rows of its other hours, and this one."""
    ds = str(row["ds"])
    kept = []
    if ds in published(TABLE.name, settings):
        kept = [it for it in read(TABLE.name, ds, settings).to_pylist() if it["hour"] != row["hour"]]
    rows = sorted([*kept, row], key=lambda it: str(it["hour"]))
    attempt = staging.begin(settings, TABLE.name, run)
    table = pa.Table.from_pylist(rows, schema=TABLE.schema)
    path = write_day(attempt.day(ds), table, file_schema(settings, TABLE))
    staging.complete(attempt, [ds], {ds: [path]}, inputs, {"rows": {ds: len(rows)}})


def _earlier(settings: Settings, hour: str) -> list[Row]:
    """Rows of this day and the previous one, oldest first."""
    days = set(published(TABLE.name, settings))
    wanted = [ds for ds in (shift(hour[:10], -1), hour[:10]) if ds in days]
    rows = [row for ds in wanted for row in read(TABLE.name, ds, settings).to_pylist()]
    return sorted((row for row in rows if row["hour"] < hour), key=lambda row: str(row["hour"]))
