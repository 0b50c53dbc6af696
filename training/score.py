"""Score one bucket of users with one version of the model.

    python -m training.score --ds 2011-11-09 --run R --bucket 0 --buckets 2 --model-version 1

Reads `user_history`, `item_embeddings`, `items`, `user_interests` and `user_signals` of the day; writes the part
`bucket-0` of the staged partition of `user_features`: one row for every user of the bucket.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits

from pipeline.runtime import program
from pipeline.runtime.days import parse_day
from pipeline.runtime.errors import UsageError
from pipeline.runtime.program import arguments
from pipeline.runtime.settings import load_settings
from pipeline.tables.features import NO_MODEL
from training.registry.model_of_day import model_of_day
from training.registry.versions import load
from training.scoring.bucket import Bucket, score_bucket


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--ds", required=True, help="the day to score")
    parser.add_argument("--bucket", type=int, default=0, help="users to score")
    parser.add_argument("--buckets", type=int, default=1, help="how many buckets there are")
    parser.add_argument(
        "--model-version", default="", help="registered version, or none; default: the champion of the day"
    )
    given = parser.parse_args()
    if not 0 <= given.bucket < given.buckets:
        raise UsageError(f"--bucket: expected 0..{given.buckets - 1}, found {given.bucket}")
    settings, bucket = load_settings(), Bucket(given.bucket, given.buckets)
    model = model_of_day(settings, parse_day(given.ds), given.model_version)
    if model is None:
        raise UsageError("--model-version: there is no champion yet; train and promote one, or name one")
    folder = None if model == NO_MODEL else load(settings, model)
    with threads((os.cpu_count() or 1) // given.buckets):  # buckets are scored side by side
        rows = score_bucket(settings, parse_day(given.ds), given.run, bucket, model, folder)
    print(f"user_features ds={given.ds}: bucket {given.bucket}, {rows} users, model {model}")


@contextmanager
def threads(most: int) -> Iterator[None]:
    """At most so many threads, at least one, in torch and in the libraries of numpy and LightGBM."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, min(before, most)))
    try:
        with threadpool_limits(torch.get_num_threads()):
            yield
    finally:
        torch.set_num_threads(before)


if __name__ == "__main__":
    program.run(main)
