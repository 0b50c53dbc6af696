"""Find the night that the refresh of an hour goes on from.

    python -m pipeline.find_base --hour 2026-04-01T10

Prints it. Exit code 3 when the night of the hour's day, or a later one, is published: it has read
all that a refresh could take.
"""

import sys

from pipeline.intraday.base import find_base, superseded_by
from pipeline.intraday.hour import arguments, day_of, parse_hour
from pipeline.orchestration.step_commands import SUPERSEDED
from pipeline.runtime import program
from pipeline.runtime.settings import load_settings


def main() -> None:
    given, settings = arguments(__doc__), load_settings()
    hour = parse_hour(given.hour, settings.business_tz)
    if night := superseded_by(settings, day_of(hour)):
        print(f"{hour}: nothing to do, user_features ds={night} is published and knows more")
        sys.exit(SUPERSEDED)
    print(f"{hour}: goes on from ds={find_base(settings, day_of(hour)).ds}")


if __name__ == "__main__":
    program.run(main)
