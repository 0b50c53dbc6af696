"""Users written down as what they turned to, and how many days ago."""

import pyarrow as pa

from pipeline.runtime.days import shift
from pipeline.tables.registry import TRAINING_EXAMPLES
from tests.unit.training.factory import DS, embeddings, event, example, item_rows, user_id
from training.data.catalogue import build_catalogue
from training.data.users import Examples, to_examples
from training.evaluation.baselines.known import Known

CUT = shift(DS, -28)
Life = list[tuple[int, int]]  # item, days before the cut-off (negative: after it)


def window(lives: list[Life], items: int) -> Examples:
    """Examples of the users, in this order; an event at a later hour for each of a day."""
    rows = []
    for number, life in enumerate(lives):
        hours: dict[int, int] = {}
        events = []
        for item, ago in sorted(life, key=lambda entry: -entry[1]):
            hours[ago] = hours.get(ago, 0) + 1
            events.append(event(f"shop:{item:03d}", "view", shift(CUT, -ago), hours[ago]))
        rows.append(example(user_id(number), events, CUT, "test"))
    table = pa.Table.from_pylist(rows, schema=TRAINING_EXAMPLES.schema)
    return to_examples(table, build_catalogue(embeddings(items), item_rows(items)))


def known(lives: list[Life], items: int, core: int = 100) -> Known:
    """What rankers may know of them."""
    return Known.of(window(lives, items), items, core)
