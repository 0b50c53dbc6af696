"""Time the scoring of a published day, bucket by bucket.

    TIDEMARK_HOME=... python -m tests.bench scoring --ds 2011-11-06 [--buckets 2]

Needs a champion, and `user_history`, `item_embeddings` and `items` of the day. Publishes nothing.
"""

import argparse

from pipeline.orchestration import step_commands
from pipeline.orchestration.steps import SCORE
from pipeline.runtime.settings import load_settings
from tests.bench.processes import measured
from training.registry.versions import version


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ds", required=True)
    parser.add_argument("--buckets", type=int, default=2)
    given = parser.parse_args()
    settings = load_settings().model_copy(update={"score_buckets": given.buckets})
    champion = version(settings)
    assert champion is not None, "train and promote a model first"
    for bucket in range(given.buckets):
        command = step_commands.score_bucket(SCORE, settings, given.ds, "bench", bucket, champion)
        print(f"bucket {bucket}: {measured(command)}", flush=True)


if __name__ == "__main__":
    main()
