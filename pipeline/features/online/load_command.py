"""Load the features of a day into the online store.

    python -m pipeline.features.online.load_command --ds 2011-11-09 --run R
    python -m pipeline.features.online.load_command --rollback

Reads `user_features` of the day, writes a version of its own to the store that TIDEMARK_ONLINE_URI
names, counts it, and then moves one pointer. The night before stays: `--rollback` lets it serve
again at once. Feast's definitions of what serves are renewed where the schema has changed.
"""

import argparse
import time

from pipeline.features.feast.repository import bring_up_to_date
from pipeline.features.online import open_backend
from pipeline.features.online.load import load_night, roll_back
from pipeline.orchestration.steps import SERVE
from pipeline.runtime import program
from pipeline.runtime.days import parse_day
from pipeline.runtime.errors import UsageError
from pipeline.runtime.settings import load_settings
from pipeline.storage import staging

WAIT_SECONDS = 120  # for a refresh that writes its rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--ds", help="the day to load")
    what.add_argument("--rollback", action="store_true", help="back to the night before")
    parser.add_argument("--run", help="id shared by the steps of one run")
    parser.add_argument("--force", action="store_true", help="also an older or rolled back day")
    given = parser.parse_args()
    if given.rollback and given.force:
        raise UsageError("--force: belongs to --ds, not to --rollback")
    settings, began = load_settings(), time.time()
    backend = open_backend(settings)
    done = (
        roll_back(backend)
        if given.rollback
        else load_night(settings, backend, parse_day(given.ds), given.force, WAIT_SECONDS)
    )
    print(f"online store ({backend.name}): {done}")
    bring_up_to_date(settings)
    if given.run:
        staging.keep_times(settings, SERVE.name, given.run, began)


if __name__ == "__main__":
    program.run(main)
