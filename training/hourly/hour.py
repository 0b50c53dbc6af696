"""One hour: the serving version and the candidate are judged on it, then the next candidate learns from it."""

import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from filelock import FileLock

from pipeline.runtime.errors import ModelError
from pipeline.runtime.settings import Settings
from pipeline.storage.reading import open_day, published, read
from pipeline.tables.intraday import INTRADAY_REFRESHES
from pipeline.tables.registry import USER_HISTORY
from training.data.arrow import day_number
from training.data.catalogue import Catalogue, load_catalogue
from training.data.users import Examples, to_examples
from training.evaluation.intervals import UNKNOWN, Interval
from training.hourly.day_record import Record
from training.hourly.guard import Decision, gain, which_serves
from training.hourly.hour_rows import Older, arrived
from training.hourly.judgements import judged_since, judgement, recent_gains, stage
from training.hourly.line import Line, Row, forget
from training.hourly.predicted import Quality, item_trend, quality
from training.hourly.update import Rows, Steps, candidate
from training.model.model import TrainedModel, load, save
from training.ranking.engagements import Engagements
from training.registry import versions as champion
from training.registry.runs import open_client
from training.scoring.bucket import everyone


@dataclass(frozen=True)
class Hour:
    """What an hour brought, and the models that are compared on it."""

    hour: str
    inputs: dict[str, int]
    catalogue: Catalogue
    examples: Examples
    trend: np.ndarray
    older: Older

    @classmethod
    def of(cls, settings: Settings, hour: str, model: TrainedModel) -> "Hour | None":
        """None if nothing came in: no refresh of the hour has written a row."""
        base = _base(settings, hour)
        if base is None:
            return None
        snapshots, rows = arrived(settings, hour, base)
        if not rows.num_rows:
            return None
        catalogue, inputs = load_catalogue(settings, base)
        inputs[USER_HISTORY.name], known = _engaged(settings, base, catalogue)
        older = Older.of(settings, model.card.ds, hour, catalogue)
        trend = item_trend(model, catalogue, known)
        examples = to_examples(rows, catalogue)
        return cls(hour, inputs | snapshots | older.inputs, catalogue, examples, trend, older)

    def quality(self, model: TrainedModel) -> Quality:
        """How well the model predicted the hour."""
        return quality(model, self.examples, self.catalogue, self.trend)

    def older_gain(self, new: TrainedModel, old: TrainedModel) -> Interval:
        """The gain on older rows, including the propensity labels."""
        held, flat = self.older.held, np.zeros_like(self.trend)
        if not len(held):
            return UNKNOWN
        found = [quality(model, held, self.catalogue, flat) for model in (new, old)]
        return gain(*(each.loss + np.nan_to_num(each.heads) for each in found))

    def learned(self, model: TrainedModel, plan: Steps) -> TrainedModel:
        """The next candidate. Older rows are scored without the trend, which describes the present."""
        flat = np.zeros_like(self.trend)
        older = Rows(self.older.replayed, flat)
        found = candidate(model, Rows(self.examples, self.trend), older, self.catalogue, plan)
        inputs, day = model.card.inputs | self.inputs, day_number(self.hour[:10])
        card = replace(found.card, run=f"hour-{self.hour}", inputs=inputs, learned_to=day)
        return replace(found, card=card)


@dataclass
class Versions:
    """Models by version, each read once."""

    settings: Settings

    def __post_init__(self) -> None:
        self._read: dict[str, TrainedModel] = {}

    def __getitem__(self, version: str) -> TrainedModel:
        if version not in self._read:
            self._read[version] = load(champion.load(self.settings, version))
        return self._read[version]


def judge(settings: Settings, line: Line, found: Hour, versions: Versions) -> Row:
    """The hour's row. It names the version that serves from now on; no alias has moved yet."""
    serving, waiting = line.serving, line.candidate(found.hour)
    answers = {name: found.quality(versions[name]) for name in _distinct(line.base, serving)}
    users = int((~np.isnan(answers[line.base].loss)).sum())
    gains = []
    if serving != line.base and users:
        mine = gain(answers[serving].loss, answers[line.base].loss)
        gains = [(users, mine), *recent_gains(settings, line.base, found.hour)]
    new, old = None, UNKNOWN
    if waiting and users:
        answers[waiting] = found.quality(versions[waiting])
        new = gain(answers[waiting].loss, answers[serving].loss)
        old = found.older_gain(versions[waiting], versions[serving])
    decision = which_serves(users, gains, new, old)
    events = len(found.examples.future.item)
    row = judgement(found.hour, line.base, serving, waiting, answers, users, events, decision)
    return row | {
        **_bounds("serving_gain", gains[0][1] if gains else None),
        **_bounds("candidate_gain", new),
        **_bounds("older_gain", old),
    }


def nothing(line: Line, hour: str, why: str) -> Row:
    """The row of an hour that decides nothing."""
    decision = Decision("wait", "serving", why)
    return judgement(hour, line.base, line.serving, line.candidate(hour), {}, 0, 0, decision)


def learn(line: Line, found: Hour, row: Row, versions: Versions, run_id: str, base: Path) -> str:
    """Trains a version on the hour from the serving version, registers it and returns it.

    Its folder is a copy of the champion's with other weights. Raises ModelError if it cannot learn.
    """
    learned = found.learned(versions[str(row["serves"])], Steps())
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "model"
        shutil.copytree(base, folder)
        save(learned, folder)
        return line.add(run_id, folder, found.hour, row)


def champion_of(settings: Settings) -> str:
    """The champion's version. Raises ModelError when there is none."""
    found = champion.version(settings)
    if found is None:
        raise ModelError("model tidemark: expected a champion to go on from, found none; train one")
    return found


def _base(settings: Settings, hour: str) -> str | None:
    """The night that the hour's refresh started from."""
    table = INTRADAY_REFRESHES.name
    if hour[:10] not in published(table, settings):
        return None
    rows = read(table, hour[:10], settings).to_pylist()
    return max((row["base_ds"] for row in rows if row["hour"] == hour), default=None)


def _engaged(settings: Settings, ds: str, catalogue: Catalogue) -> tuple[int, Engagements]:
    """What all users did up to the night: all models compared use the item trend of that moment."""
    snapshot, history = open_day(settings, USER_HISTORY, ds)
    return snapshot, everyone([history], ds, catalogue)


def _distinct(*names: str) -> list[str]:
    return list(dict.fromkeys(names))


def _bounds(name: str, found: Interval | None) -> Row:
    told = (None, None, None) if found is None or np.isnan(found[0]) else found
    return dict(zip((name, f"{name}_low", f"{name}_high"), told, strict=True))


def run(settings: Settings, hour: str, run: str) -> Row:
    """Stages the hour's row and moves the aliases as it says."""
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
    """Judges an hour that was not learned from yet, and learns from it."""
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


def one_at_a_time(settings: Settings) -> FileLock:
    """Hours of one home are learned one at a time."""
    settings.mlflow.mkdir(parents=True, exist_ok=True)
    return FileLock(settings.mlflow / ".hourly.lock")
