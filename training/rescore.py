"""Score the users of a refresh with the champion.

    python -m training.rescore --hour 2026-04-01T10 --run R

Reads what the run's `refresh` staged (`user_history_intraday`, and `user_interests` and `user_signals` of the touched
users), `user_history`, `items` and `item_embeddings` of the base night, and the present `user_features_intraday`.
Writes its staged partition of the hour's day: new rows for the touched users, unchanged rows for the others.
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
