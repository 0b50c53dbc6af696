"""Make the champion before the present one champion again.

    python -m training.rollback

Moves the alias `champion` to the version that the present champion replaced, and marks the present
one, so that it is not promoted again. Called once more, it goes one further back. The nights that
follow are scored by the older version; nights already published stay as they are.
"""

import argparse
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipeline.runtime import program
from pipeline.runtime.errors import ModelError
from pipeline.runtime.settings import load_settings
from training.registry.versions import CHAMPION, MODEL, aliased, day_of, folder_of
from training.registry.runs import open_client

if TYPE_CHECKING:
    from mlflow import MlflowClient

AGAINST, ROLLED_BACK = "promotion.against", "promotion.rolled_back"


def roll_back(client: "MlflowClient") -> tuple[str, str]:
    """The version that was champion, and the one that is now.

    Raises ModelError when there is nothing to go back to.
    """
    champion = aliased(client, CHAMPION)
    if champion is None:
        raise ModelError(f"model {MODEL}: expected a champion, found none; nothing to roll back")
    before = client.get_model_version(MODEL, champion).tags.get(AGAINST, "none")
    if before == "none":
        raise ModelError(
            f"model {MODEL}: expected a version before champion {champion}, found none; "
            "it was the first"
        )
    folder = folder_of(client, before)
    if not folder.exists():
        raise ModelError(
            f"model {MODEL}: expected the folder of version {before}, found no {folder}; "
            "train again instead"
        )
    now = datetime.now(UTC).isoformat(timespec="seconds")
    client.set_model_version_tag(MODEL, champion, ROLLED_BACK, now)
    client.set_registered_model_alias(MODEL, CHAMPION, before)
    return champion, before


def main() -> None:
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    client = open_client(load_settings())
    old, new = roll_back(client)
    print(
        f"model {MODEL}: version {new} (trained for {day_of(client, new)}) is the champion again, "
        f"version {old} ({day_of(client, old)}) is rolled back"
    )


if __name__ == "__main__":
    program.run(main)
