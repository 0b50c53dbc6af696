"""Judge the hourly versions on the events of an hour, then learn from them.

    python -m training.learn_hourly --hour 2026-04-01T10 --run R

Reads the rows of the hour in `user_history_intraday`, the night that its refresh started from, and older rows of
`training_examples`. Decides which version serves from now on (training/hourly/guard), trains the next candidate from
it, and writes the staged day of `hourly_judgements`. The champion is never changed. A retry does not judge again, and
moves nothing that a later hour has decided. An hour that comes out of order is skipped: a later hour has been learned
already.
"""

from pipeline.intraday.hour import arguments, parse_hour
from pipeline.runtime import program
from pipeline.runtime.settings import load_settings
from training.hourly.hour import one_at_a_time, run


def main() -> None:
    given, settings = arguments(__doc__), load_settings()
    hour = parse_hour(given.hour, settings.business_tz)
    with one_at_a_time(settings):
        row = run(settings, hour, given.run)
    print(f"{hour}: {row['decision']}, version {row['serves']} serves: {row['reason']}")


if __name__ == "__main__":
    program.run(main)
