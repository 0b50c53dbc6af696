"""Score the users of a refresh with the champion.

    python -m training.rescore --hour 2026-04-01T10 --run R

Reads what the run's `refresh` staged (`user_history_intraday`, and of the users it touched
`user_interests` and `user_signals`), `user_history`, `items` and `item_embeddings` of the base
night, and `user_features_intraday` as it is. Writes its staged partition of the hour's day: the
touched users anew, the others as they were.
"""

from collections.abc import Iterator

import pyarrow as pa

from pipeline.intraday.hour import arguments, parse_hour
from pipeline.runtime import program
from pipeline.runtime.errors import ModelError
from pipeline.runtime.settings import Settings, load_settings
from pipeline.storage import staging
from pipeline.storage.catalog import file_schema
from pipeline.storage.files import DayFile
from pipeline.tables.intraday import USER_FEATURES_INTRADAY
from pipeline.tables.registry import USER_HISTORY
from training import champion
from training.data.catalogue import Catalogue
from training.hourly.serving import serving
from training.model.predictor import Predictor
from training.scoring.refresh import RefreshedUsers
from training.scoring.bucket import Bucket, list_lengths, scored_share
from training.model.model import load
from training.fitting.data import load_catalogue

EVERY_USER = Bucket(0, 1)


def main() -> None:
    given, settings = arguments(__doc__), load_settings()
    hour = parse_hour(given.hour, settings.business_tz)
    users = RefreshedUsers.of(settings, hour, given.run)
    rows, version = rescore(users)
    scored = f"{len(users.touched)} of {rows} users, model {version}"
    print(f"{USER_FEATURES_INTRADAY.name} {users.hour}: {scored}")


def rescore(users: RefreshedUsers) -> tuple[int, str | None]:
    """Stages the rows of the day; returns their number, and the model that scored if any did."""
    settings, ds = users.settings, users.ds
    version = needed_version(settings) if len(users.touched) else None
    catalogue, inputs = load_catalogue(settings, users.base)
    attempt = staging.begin(settings, USER_FEATURES_INTRADAY.name, users.run)
    file = DayFile(attempt.day(ds), file_schema(settings, USER_FEATURES_INTRADAY))
    for rows in scored(users, catalogue, inputs, version) if version else ():
        file.write(rows)
    for rows in users.others():
        file.write(rows)
    file.close()
    expected = users.history.count_rows()
    if file.rows != expected:
        raise ModelError(
            f"{USER_FEATURES_INTRADAY.name} ds={ds}: expected {expected} users of "
            f"user_history_intraday, scored or kept {file.rows}; run the refresh again"
        )
    facts: dict[str, object] = {"rows": {ds: file.rows}, "model_version": version}
    lengths = list_lengths(catalogue, settings.history_events)
    files = {ds: [file.path]} if file.rows else {}
    staging.complete(attempt, [ds], files, inputs, facts | lengths)
    return file.rows, version


def needed_version(settings: Settings) -> str:
    """The version that scores within the day. Raises ModelError when there is none."""
    found = serving(settings)
    if found is None:
        raise ModelError("champion: expected one, found none; train, evaluate and promote one")
    return found


def scored(
    users: RefreshedUsers, catalogue: Catalogue, inputs: dict[str, int], version: str
) -> Iterator[pa.Table]:
    """The rows of the touched users, some at a time."""
    trained = load(champion.load(users.settings, version))
    inputs[USER_HISTORY.name], engaged = users.everyone(catalogue)
    predictor = Predictor.of(trained, catalogue, engaged)
    for share in EVERY_USER.shares(len(users.touched)):
        for rows in scored_share(predictor, users.touched_history(), users.joined, share, version):
            hours, bases = (pa.repeat(it, len(rows)) for it in (users.hour, users.base))
            yield rows.append_column("hour", hours).append_column("base_ds", bases)


if __name__ == "__main__":
    program.run(main)
