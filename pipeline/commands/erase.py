"""`python -m pipeline erase USER… [--reason TEXT]`: remove persons from everything, for good.

USER is a `user_id`, or `<platform>:<raw id>` as a platform knows the person; all ids that the
identity map joins to it go too. Cut off, it is simply run again.
"""

import argparse

from pipeline.erasure.erase import erase
from pipeline.runtime.settings import Settings
from pipeline.storage.suppression import erasures


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("users", nargs="+", metavar="USER", help="user_id, or <platform>:<raw id>")
    parser.add_argument("--reason", default="", help="kept with the record of what was done")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    record = erase(settings, arguments.users, arguments.reason, lambda line: print(line, flush=True))
    for model in record.models:
        name = f"model version {model['version']}" if model["version"] else "unregistered run"
        print(f"{name} (MLflow run {model['run_id']}, ds={model['ds']}): {model['evidence']}")
    if record.models:
        print("These models learned from the persons, or may have; train anew to be rid of them.")
    print(f"recorded in {erasures(settings) / record.id}.json")
    return 0
