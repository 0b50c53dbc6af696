"""Score the users of a refresh with the champion.

    python -m training.rescore --hour 2026-04-01T10 --run R

Reads what the run's `refresh` staged (`user_history_intraday`, and of the users it touched
`user_interests` and `user_signals`), `user_history`, `items` and `item_embeddings` of the base
night, and `user_features_intraday` as it is. Writes its staged partition of the hour's day: the
touched users anew, the others as they were.
"""

from pipeline.intraday.hour import arguments, parse_hour
from pipeline.runtime import program
from pipeline.runtime.settings import load_settings
from pipeline.tables.intraday import USER_FEATURES_INTRADAY
from training.scoring.refresh import RefreshedUsers, rescore


def main() -> None:
    given, settings = arguments(__doc__), load_settings()
    hour = parse_hour(given.hour, settings.business_tz)
    users = RefreshedUsers.of(settings, hour, given.run)
    rows, version = rescore(users)
    scored = f"{len(users.touched)} of {rows} users, model {version}"
    print(f"{USER_FEATURES_INTRADAY.name} {users.hour}: {scored}")


if __name__ == "__main__":
    program.run(main)
