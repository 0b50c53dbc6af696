"""The champion: the registered version that scores the night.

python -m training.champion --print      prints its version; exit code 3 when there is none
"""

import argparse
import sys
from pathlib import Path

from pipeline.runtime import program
from pipeline.runtime.settings import Settings, load_settings
from training.registry.versions import CHAMPION, aliased, folder_of
from training.registry.runs import open_client

NO_CHAMPION = 3


def version(settings: Settings) -> str | None:
    """The champion's version, None when there is none; a home without models is left as it is."""
    if not settings.mlflow_uri and not (settings.mlflow / "mlflow.db").exists():
        return None
    return aliased(open_client(settings), CHAMPION)


def load(settings: Settings, wanted: str) -> Path:
    """The model folder of a version. Raises ModelError when it is not registered."""
    return folder_of(open_client(settings), wanted)


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
