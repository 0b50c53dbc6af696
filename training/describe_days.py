"""Describe what items and reviews say: item vectors, sentiment, topics, in one process.

    python -m training.describe_days --from 2011-11-07 --to 2011-11-09 --run R
    python -m training.describe_days --ds 2011-11-09 --run R [--until encode]

Does what `training.encode_items`, `training.score_reviews` and `training.build_topics` do, and
stages `item_embeddings` of every day, `review_sentiments`, `topics` and `item_topics` of the last
one. Topics are made from the item vectors that this process staged; the release publishes these
first.
"""

from pipeline.runtime import program
from pipeline.runtime.program import add_range, arguments, wanted_days
from pipeline.runtime.settings import load_settings
from training.build_topics import build
from training.encode_items import encode
from training.score_reviews import score_reviews

PARTS = ("encode", "reviews", "topics")


def main() -> None:
    parser = arguments(__doc__)
    add_range(parser)
    parser.add_argument("--until", choices=PARTS, default=PARTS[-1], help="leave out the parts after this one")
    given = parser.parse_args()
    settings, days = load_settings(), wanted_days(given)
    parts = PARTS[: PARTS.index(given.until) + 1]
    encode(settings, days, given.run)
    if "reviews" in parts:
        score_reviews(settings, days[-1], given.run)
    if "topics" in parts:
        build(settings, days[-1], given.run, vectors_staged=True)


if __name__ == "__main__":
    program.run(main)
