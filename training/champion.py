"""The champion: the registered version that scores the night.

python -m training.champion --print      prints its version; exit code 3 when there is none
"""

import argparse
import sys

from pipeline.runtime import program
from pipeline.runtime.settings import load_settings
from training.registry.versions import version

NO_CHAMPION = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--print", action="store_true", required=True, help="print the version")
    parser.parse_args()
    found = version(load_settings())
    if found is None:
        print("error: there is no champion yet; train, evaluate and promote one", file=sys.stderr)
        sys.exit(NO_CHAMPION)
    print(found)


if __name__ == "__main__":
    program.run(main)
