"""The two platforms' files: their field names, id schemes, time formats and vocabularies."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.sources.sample.clock import PLATFORMS, ZONES
from pipeline.sources.sample.defects import break_lines
from pipeline.sources.sample.items import Catalogue
from pipeline.sources.sample.phrases import PHRASES
from pipeline.sources.sample.pictures import picture_path
from pipeline.sources.sample.rows import Fate, Rows
from pipeline.sources.sample.topics import TOPICS

WEBSHOP, MARKETPLACE = range(len(PLATFORMS))
SUFFIXES = ("jsonl", "csv")
# Words for Kind.IMPRESSION … Kind.REVIEW.
VOCABULARY = (
    ("shown", "product_view", "site_search", "basket_add", "wishlist_add", "ordered", "refunded", "reviewed"),
    ("imp", "click", "query", "cart", "save", "buy", "return", "feedback"),
)
TIME_FORMATS = ("%Y-%m-%dT%H:%M:%S%.3f%:z", "%d/%m/%Y %H:%M:%S")
COMPRESSION = 1  # the writers wait for gzip, and level 1 takes half the time of 6


def user_ids(platform: int, number: int) -> pl.Series:
    """Raw ids of all users: odd multipliers scramble 0 … 2^32 - 1 without collisions."""
    scrambled = np.arange(number, dtype=np.uint64)
    if platform == WEBSHOP:
        hexed = pl.Series((scrambled * 2654435761 + 12345) % 2**32)
        return pl.Series([f"u{value:08x}" for value in hexed], dtype=pl.String)
    return pl.Series((scrambled * 2246822519 + 777) % 2**32 + 10**9).cast(pl.String)


def item_ids(catalogue: Catalogue) -> pl.Series:
    """Raw ids of all items, in the scheme of each one's platform."""
    names = [
        f"WS-{number:06d}" if platform == WEBSHOP else f"{number * 7 + 300_001}"
        for number, platform in enumerate(catalogue.platform)
    ]
    return pl.Series(names, dtype=pl.String)


@dataclass(frozen=True)
class EventFormat:
    """Encodes rows as the lines of one platform's event files."""

    platform: int
    users: pl.Series
    items: pl.Series

    def encode(self, rows: Rows) -> bytes:
        """One line per row, defects of text included."""
        frame = self._common(rows)
        text = BytesIO()
        if self.platform == WEBSHOP:
            frame.select(_webshop_fields()).write_ndjson(text)
        else:
            frame.select(_marketplace_fields()).write_csv(text, include_header=False)
        return break_lines(text.getvalue(), rows.fate, csv=self.platform == MARKETPLACE)

    def header(self) -> bytes:
        """First line of a file."""
        if self.platform == WEBSHOP:
            return b""
        names = [expression.meta.output_name() for expression in _marketplace_fields()]
        return ",".join(names).encode() + b"\n"

    def _common(self, rows: Rows) -> pl.DataFrame:
        fate = pl.Series(rows.fate)
        time = pl.Series(rows.time).cast(pl.Datetime("ms", "UTC"))
        local = time.dt.convert_time_zone(ZONES[self.platform])
        words = pl.Series(VOCABULARY[self.platform])
        return pl.DataFrame(
            {
                "user": self.users.gather(rows.user),
                "time": local.dt.strftime(TIME_FORMATS[self.platform]),
                "kind": words.gather(rows.kind),
                "item": _gather(self.items, rows.item),
                "phrase": _gather(pl.Series(PHRASES), rows.phrase),
                "propensity": pl.Series(rows.propensity, nan_to_null=True).round(6),
                **{name: _given(getattr(rows, name)) for name in NUMBERS},
            }
        ).with_columns(
            user=pl.when(fate == Fate.NO_USER).then(pl.lit("")).otherwise("user"),
            time=pl.when(fate == Fate.BAD_TIME).then(pl.lit("31/02 25:61")).otherwise("time"),
        )


NUMBERS = ("price", "quantity", "rating", "order", "campaign")


def _webshop_fields() -> list[pl.Expr]:
    ad = pl.struct(campaign=_campaign("spring"), chance="propensity")
    return [
        pl.col("user").alias("uid"),
        pl.col("time").alias("ts"),
        pl.col("kind").alias("action"),
        pl.col("item").alias("sku"),
        (pl.col("price") / 100).round(2).alias("unit_price"),
        pl.col("quantity").alias("qty"),
        pl.col("order").alias("order_no"),
        pl.col("phrase").alias("text"),
        pl.col("rating").alias("stars"),
        pl.when(pl.col("campaign").is_not_null()).then(ad).alias("ad"),
    ]


def _marketplace_fields() -> list[pl.Expr]:
    search = pl.col("kind") == VOCABULARY[MARKETPLACE][2]
    return [
        pl.col("user").alias("buyer"),
        pl.col("kind").alias("event"),
        pl.col("time").alias("occurred_at"),
        pl.col("item").alias("listing"),
        pl.col("price").alias("amount_pence"),
        pl.col("quantity").alias("units"),
        pl.col("order").alias("order_ref"),
        pl.when(search).then("phrase").alias("search_terms"),
        pl.when(~search).then("phrase").alias("feedback"),
        pl.col("rating").alias("score"),
        _campaign("promo").alias("promotion"),
        pl.col("propensity").alias("promotion_probability"),
    ]


def _campaign(prefix: str) -> pl.Expr:
    return pl.format(prefix + "-{}", pl.col("campaign"))


def _gather(pool: pl.Series, index: np.ndarray) -> pl.Series:
    return pool.gather(_given(index))


def _given(values: np.ndarray) -> pl.Series:
    series = pl.Series(values)
    return series.set(series < 0, None)


def encode_items(catalogue: Catalogue, items: pl.Series, platform: int, index: np.ndarray, pictures: bool) -> bytes:
    """A catalogue file: the given items as they are sold now; the web shop may have pictures."""
    frame = pl.DataFrame(
        {
            "id": items.gather(index),
            "title": [catalogue.title[i] for i in index],
            "category": [TOPICS[catalogue.topic[i]].category for i in index],
            "brand": [catalogue.brand[i] for i in index],
            "price": np.round(catalogue.price[index] / 100, 2),
        },
        schema_overrides=dict.fromkeys(("title", "category", "brand"), pl.String),
    )
    text = BytesIO()
    if platform == WEBSHOP:
        if pictures:
            paths = [picture_path(sku) for sku in frame["id"]]
            frame = frame.with_columns(image=pl.Series(paths, dtype=pl.String))
        frame.rename({"id": "sku", "title": "name", "category": "department", "price": "list_price"}).write_ndjson(text)
    else:
        frame.rename({"id": "listing"}).write_csv(text)
    return text.getvalue()


@contextmanager
def landing_file(root: Path, platform: int, ds: str, folder: str = "") -> Iterator[gzip.GzipFile]:
    """A gzip file whose bytes depend on its content alone: no name, no time in the header."""
    path = root / PLATFORMS[platform] / folder / f"{ds}.{SUFFIXES[platform]}.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as raw, gzip.GzipFile("", "wb", COMPRESSION, raw, mtime=0) as file:
        yield file
