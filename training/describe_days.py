"""Make item vectors, review sentiments and topics in one process.

    python -m training.describe_days --from 2011-11-07 --to 2011-11-09 --run R
    python -m training.describe_days --ds 2011-11-09 --run R [--until encode]

Does the work of `training.encode_items`, `training.score_reviews` and `training.build_topics`: stages `item_embeddings`
of every day, and `review_sentiments`, `topics` and `item_topics` of the last day. Topics are made from the item vectors
that this process staged; the release publishes the vectors first.
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
    vectors = encode(settings, days, given.run)
    if "reviews" in parts:
        score_reviews(settings, days[-1], given.run)
    if "topics" in parts:
        build(settings, days[-1], given.run, vectors=vectors)


if __name__ == "__main__":
    program.run(main)
