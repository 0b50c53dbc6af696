"""Make the previous champion the champion again.

    python -m training.rollback

Moves the alias `champion` to the version that the present champion replaced, and marks the present one, so that it is
not promoted again. A second call goes one version further back. Later nights are scored by the older version; nights
already published do not change.
"""

import argparse

from pipeline.runtime import program
from pipeline.runtime.settings import load_settings
from training.registry.runs import open_client
from training.registry.versions import MODEL, day_of, roll_back


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    client = open_client(load_settings())
    old, new = roll_back(client)
    print(
        f"model {MODEL}: version {new} (trained for {day_of(client, new)}) is the champion again, "
        f"version {old} ({day_of(client, old)}) is rolled back"
    )


if __name__ == "__main__":
    program.run(main)
