"""Which part of the logs a job learns from: some platforms, a share of the users."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as arrow_dataset

from pipeline.runtime.errors import UsageError
from training.data.arrow import lengths, plain


@dataclass(frozen=True)
class Scope:
    """The items of `platforms` and the users of at least one of them (all when empty).

    `users` is a share: the users with the largest ids, which is as good as a random draw. Samples are taken from the
    same end (`arrow.in_sample`).
    """

    platforms: tuple[str, ...] = ()
    users: float = 1.0

    def items(self, embeddings: arrow_dataset.Dataset) -> pa.Table:
        """Rows of `item_embeddings`. Raises UsageError when a platform has no item."""
        table = embeddings.to_table()
        names = pc.list_element(pc.split_pattern(table["item_id"], ":", max_splits=1), 0)
        unknown = sorted(set(self.platforms) - set(pc.unique(names).to_pylist()))
        if unknown:
            raise UsageError(
                f"--platforms: expected platforms with items, found {', '.join(unknown)}; known "
                f"are {', '.join(sorted(pc.unique(names).to_pylist()))}"
            )
        return table.filter(pc.is_in(names, pa.array(self.platforms))) if self.platforms else table

    def examples(self, rows: arrow_dataset.Dataset) -> arrow_dataset.Dataset:
        """Rows of `training_examples`; in memory when platforms are chosen."""
        if self.users < 1:
            rows = rows.filter(pc.field("user_id") >= f"{min(int((1 - self.users) * 16**8), 16**8 - 1):08x}")
        if not self.platforms:
            return rows
        kept = [batch.filter(self._used(batch["daily"])) for batch in rows.to_batches()]
        return arrow_dataset.dataset(pa.Table.from_batches(kept, schema=rows.schema))

    def _used(self, daily: pa.Array) -> pa.Array:
        """Whether each row's user did anything on one of the platforms."""
        days = plain(daily)
        used = pc.is_in(pc.struct_field(days.flatten(), "platform"), pa.array(self.platforms))
        rows = np.repeat(np.arange(len(days)), lengths(days))
        return pa.array(np.bincount(rows, used.to_numpy(zero_copy_only=False), len(days)) > 0)


EVERYTHING = Scope()


def scope_of(platforms: str) -> Scope:
    """From comma-separated names; everything if there are none."""
    return Scope(tuple(sorted({name.strip() for name in platforms.split(",") if name.strip()})))
