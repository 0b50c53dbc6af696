"""Older rows: some that candidates are judged on, others that are gone over again (replay)."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as arrow_dataset

from pipeline.runtime.settings import Settings
from pipeline.storage.reading import published
from pipeline.tables.registry import TRAINING_EXAMPLES
from training.data.arrow import day_number
from training.data.catalogue import Catalogue
from training.data.draws import uniform
from training.data.users import Examples, to_examples
from training.job import open_day

TABLE = TRAINING_EXAMPLES
HELD = "4"  # users below it are judged on and never replayed: a quarter
MOST_HELD, MOST_REPLAYED = 512, 1024  # rows
REPLAY_DRAW = 9  # purpose of the draw


@dataclass(frozen=True)
class Older:
    """Rows of the examples that the champion was trained on: their labels are complete."""

    inputs: dict[str, int]
    held: Examples
    replayed: Examples

    @classmethod
    def of(cls, settings: Settings, ds: str, hour: str, catalogue: Catalogue) -> "Older":
        """No rows where the examples of `ds`, the champion's day, are not published."""
        if ds not in published(TABLE.name, settings):
            none = to_examples(TABLE.schema.empty_table(), catalogue)
            return cls({}, none, none)
        snapshot, rows = open_day(settings, TABLE, ds)
        held = rows.filter((pc.field("fold") == "valid") & (pc.field("user_id") < HELD))
        return cls(
            {TABLE.name: snapshot},
            to_examples(held.head(MOST_HELD), catalogue),
            to_examples(_drawn(rows, hour), catalogue),
        )


def _drawn(rows: arrow_dataset.Dataset, hour: str) -> pa.Table:
    """Rows of the fold train from a user on that the hour draws; then from the first user on."""
    luck = float(uniform(REPLAY_DRAW, day_number(hour[:10]) * 24 + int(hour[-2:])))
    first = int(HELD, 16) * 16**3
    start = f"{first + int(luck * (16**4 - first)):04x}"
    learned, user = pc.field("fold") == "train", pc.field("user_id")
    found = rows.filter(learned & (user >= start)).head(MOST_REPLAYED)
    more = rows.filter(learned & (user >= HELD) & (user < start))
    return pa.concat_tables([found, more.head(MOST_REPLAYED - len(found))])
