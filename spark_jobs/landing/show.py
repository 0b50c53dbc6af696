"""What landed files and their rows hold, counted for `source check`."""

from collections.abc import Sequence

import polars as pl
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, MapType, StructType

from pipeline.report.source_check import CUT, ColumnFacts, Rejected, SourceCheck
from pipeline.sources.source import LANDED, UNKNOWN_FIELDS, Source

SHOWN = (
    *(
        "account_id",
        "item_id",
        "event_type",
        "event_time",
        "quantity",
        "price",
        "query",
        "text",
        "rating",
        "campaign_id",
    ),
    *("propensity", "attributes", "item_title", "item_category", "item_brand", "item_image_path"),
)
PAIRS = pl.List(pl.Struct({"key": pl.String, "value": pl.String}))
EXAMPLE_VALUES = ("first", "min", "max")
EXAMPLES = 3  # rejected rows shown for each reason
HOURLY_DAYS = 2  # events of more days than this are counted by day


def own_columns(landed: DataFrame) -> tuple[list[str], DataFrame]:
    """The declared columns of landed records, and their values as text in columns `0`, `1`, …"""
    names = [name for name in landed.columns if name not in (LANDED, UNKNOWN_FIELDS)]
    return names, landed.select(*[_as_text(landed, name).alias(str(place)) for place, name in enumerate(names)])


def _as_text(rows: DataFrame, name: str) -> Column:
    column = F.col(f"`{name}`")
    nested = isinstance(rows.schema[name].dataType, ArrayType | MapType | StructType)
    return F.to_json(column) if nested else column.cast("string")


def canonical_columns(raw: pl.LazyFrame) -> pl.LazyFrame:
    """The columns of `raw_events` that are shown, as text in columns `0`, `1`, …"""
    texts = {
        "event_time": pl.col("event_time").dt.to_string("%Y-%m-%d %H:%M:%S%.f"),
        "attributes": pl.lit("{") + pl.col("attributes").cast(PAIRS).list.eval(_pair()).list.join(",") + "}",
    }
    return raw.select(
        texts.get(name, pl.col(name).cast(pl.String)).alias(str(place)) for place, name in enumerate(SHOWN)
    )


def _pair() -> pl.Expr:
    """A pair of a map as JSON has it; quotes within are left as they are."""
    return pl.format('"{}":"{}"', pl.element().struct.field("key"), pl.element().struct.field("value"))


def columns(names: Sequence[str], texts: pl.LazyFrame) -> tuple[ColumnFacts, ...]:
    """Each column `0`, `1`, … of `texts`. The examples are the first value, the least and the greatest."""
    asked = [pl.len().alias("rows")]
    for place in map(str, range(len(names))):
        text = pl.col(place).replace("", None).drop_nulls()
        asked += [text.len().alias(f"{place}.filled"), text.n_unique().alias(f"{place}.distinct")]
        shown = text.str.slice(0, CUT + 1)
        asked += [getattr(shown, which)().alias(f"{place}.{which}") for which in EXAMPLE_VALUES]
    counts = texts.select(asked).collect(engine="streaming").row(0, named=True)
    return tuple(
        ColumnFacts(
            name,
            counts[f"{place}.filled"] / max(counts["rows"], 1),
            counts[f"{place}.distinct"],
            tuple(dict.fromkeys(found for which in EXAMPLE_VALUES if (found := counts[f"{place}.{which}"]))),
        )
        for place, name in enumerate(names)
    )


def rejected(raw: pl.LazyFrame) -> tuple[Rejected, ...]:
    """Reason, rows, and the first few of them with file and line."""
    example = ["source_file", "line", "record"]
    rows = raw.filter(pl.col("reject_reason").is_not_null()).select(
        "reject_reason",
        "source_file",
        line=pl.col("record").str.json_path_match("$.line").cast(pl.Int64, strict=False),
        record=pl.col("record").str.slice(0, 4 * CUT),
    )
    in_order = rows.sort(*example).group_by("reject_reason", maintain_order=True)
    counted = in_order.agg(pl.len().alias("rows"), *[pl.col(name).head(EXAMPLES) for name in example])
    return tuple(
        Rejected(
            reason,
            number,
            tuple(
                (file, "" if line is None else str(line), record or "")
                for file, line, record in zip(*examples, strict=True)
            ),
        )
        for reason, number, *examples in counted.sort("rows", "reject_reason", descending=[True, False])
        .collect()
        .iter_rows()
    )


def over_time(events: pl.DataFrame, source: Source) -> pl.DataFrame:
    """`day` and `hour` of the events where the platform is, `event_type` and how many: `len`."""
    local = pl.col("event_time").dt.convert_time_zone(source.timezone)
    hour = local.dt.to_string("%Y-%m-%d %H:00")
    return events.group_by(local.dt.date().alias("day"), hour.alias("hour"), "event_type").len()


def times(counted: pl.DataFrame) -> tuple[tuple[str, str, int], ...]:
    """(local hour or day, event type, events) of rows of `over_time`."""
    days = counted.select((pl.max("day") - pl.min("day")).dt.total_days()).item() or 0
    time = pl.col("hour") if days <= HOURLY_DAYS else pl.col("day").dt.to_string("%Y-%m-%d")
    summed = counted.group_by(time.alias("time"), "event_type").agg(pl.sum("len")).sort("time", "event_type")
    return tuple(summed.iter_rows())


def warnings(check: SourceCheck) -> list[str]:
    """What someone who looks at the tables should not overlook."""
    found = []
    if check.rows and not check.events:
        found.append("no row becomes an event")
    elif check.quarantined > 0.2 * check.rows:
        found.append(f"{check.quarantined / check.rows:.0%} of the rows go to quarantine")
    if check.duplicates > 0.1 * check.rows:
        found.append(f"{check.duplicates / check.rows:.0%} of the rows are duplicates of others")
    filled = {it.name: it.filled for it in check.own}
    found += [f"the column {name} is empty on every row" for name, share in filled.items() if share == 0]
    return found
