"""The champion: the registered version that scores a night.

python -m training.champion --print                    prints the version that is champion now
python -m training.champion --print --ds 2011-11-09    prints the one that scores that day (model_of_day.py)

It prints `none` for a day while the log is too short to train one.

Exit code 3 when no version ever was champion, or when a text encoder was adapted or rolled back since the champion was
trained, so that the night must train a new one; 2 when every one was trained for a later day.
"""

import argparse
import sys

from pipeline.runtime import program
from pipeline.runtime.days import parse_day
from pipeline.runtime.settings import Settings, load_settings
from pipeline.tables.features import NO_MODEL
from training.registry.model_of_day import model_of_day
from training.registry.versions import encoder_of_version, version
from training.texts.adapted import identity_in, promoted

NO_CHAMPION = 3


def other_encoder(settings: Settings, ds: str, version: str) -> str:
    """Why the version cannot score the night of `ds`; "" if it can.

    Only adapted encoders are compared: what a changed TIDEMARK_TEXT_ENCODER does is the decision of a person.
    """
    was, chosen = identity_in(encoder_of_version(settings, version)), promoted(settings, ds)
    now = chosen.identity if chosen else ""
    if was == now:
        return ""
    names = [f"the adapted text encoder {it}" if it else "the text encoder as it came" for it in (was, now)]
    return f"champion {version} reads vectors of {names[0]}, ds={ds} has those of {names[1]}; train another"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--print", action="store_true", required=True, help="print the version")
    parser.add_argument("--ds", help="the day to be scored; default: the champion of now")
    parser.add_argument("--model-version", default="", help="check and print this one in its place")
    given = parser.parse_args()
    settings = load_settings()
    found = model_of_day(settings, parse_day(given.ds), given.model_version) if given.ds else version(settings)
    if found is None:
        print("error: there is no champion yet; train, evaluate and promote one", file=sys.stderr)
        sys.exit(NO_CHAMPION)
    trained = found != NO_MODEL
    if trained and given.ds and not given.model_version and (why := other_encoder(settings, given.ds, found)):
        print(f"error: {why}", file=sys.stderr)
        sys.exit(NO_CHAMPION)
    print(found)


if __name__ == "__main__":
    program.run(main)
