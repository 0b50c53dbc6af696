"""The run of an hour: judged and learned the first time, finished where an earlier try ended."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.runtime.errors import ModelError
from pipeline.runtime.settings import Settings
from training import champion
from training.hourly.hour import Hour, Versions, champion_of, judge, learn, nothing
from training.hourly.judgements import judged_since, stage
from training.hourly.line import Line, Row, forget
from training.hourly.day_record import Record
from training.registry.runs import open_client


def run(settings: Settings, hour: str, run: str) -> Row:
    """The hour's row, staged, with the aliases where it says."""
    line = Line(open_client(settings), champion_of(settings))
    row = line.judged(hour)
    inputs: dict[str, int] = {}
    if row is None:
        row, inputs = first_time(settings, line, hour)
    stage(settings, run, row, inputs)
    if line.newest_hour <= hour and not judged_since(settings, line.base, hour):
        waiting = row["candidate"] if row["decision"] == "wait" else None
        candidate = row["next_candidate"] or waiting
        line.move(str(row["serves"]), None if candidate is None else str(candidate))
    forget(line.client)
    return row


def first_time(settings: Settings, line: Line, hour: str) -> tuple[Row, dict[str, int]]:
    """Judges and learns an hour that was not learned from yet."""
    if line.newest_hour > hour:
        return nothing(line, hour, f"{line.newest_hour} was learned before"), {}
    versions = Versions(settings)
    found = Hour.of(settings, hour, versions[line.base])
    if found is None:
        return nothing(line, hour, "nothing came in"), {}
    with Record(line.client, hour[:10]).running() as record:
        row = judge(settings, line, found, versions)
        record.judged(row, found.inputs)
        try:
            folder = champion.load(settings, line.base)
            row["next_candidate"] = learn(line, found, row, versions, record.run_id, folder)
        except ModelError as error:  # of an hour that cannot be learned from: what serves stays
            row["reason"] = f"{row['reason']}; nothing was learned: {error}"
    return row, found.inputs


@contextmanager
def one_at_a_time(settings: Settings) -> Iterator[None]:
    """Hours of a home are learned one after the other."""
    settings.mlflow.mkdir(parents=True, exist_ok=True)
    with (settings.mlflow / ".hourly.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
