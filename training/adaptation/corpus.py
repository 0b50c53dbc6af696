"""What an encoder learns from: pairs of texts that belong together, of days up to a cut.

Two frames come in, whatever their source. `events`, one row per event:

    user_id, item_id, event_type, event_time (UTC), arrival_ds, text (the query of a search, the text of a review)

and `items`, one row per item: item_id, title, category, brand, first_ds. Texts are numbered; a pair is two numbers.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow.dataset as arrow_dataset

from pipeline.runtime.errors import ModelError
from training.adaptation.presets import PAIRS, AdaptPreset
from training.texts.item_texts import item_text

ENGAGED = ("view", "cart", "favorite", "purchase")
QUERY_MINUTES = 30
AHEAD = 3  # later items of a user that one is paired with
EVENT_COLUMNS = ("user_id", "item_id", "event_type", "event_time", "arrival_ds", "text")


@dataclass(frozen=True)
class Corpus:
    """`texts` are distinct and not empty; `pairs` of each objective are [pairs, 2] positions of them, distinct."""

    texts: list[str]
    pairs: dict[str, np.ndarray]

    @property
    def size(self) -> int:
        return sum(map(len, self.pairs.values()))


def read_events(history: arrow_dataset.Dataset) -> pl.DataFrame:
    """The events of `user_history`, one row each."""
    table = history.to_table(["user_id", "events"])
    rows = pl.from_arrow(table)
    assert isinstance(rows, pl.DataFrame)
    return rows.explode("events").unnest("events").drop_nulls("event_type").select(EVENT_COLUMNS)


def read_items(items: arrow_dataset.Dataset) -> pl.DataFrame:
    """The columns of `items` that are read."""
    rows = pl.from_arrow(items.to_table(["item_id", "title", "category", "brand", "first_ds"]))
    assert isinstance(rows, pl.DataFrame)
    return rows


def with_text(items: pl.DataFrame) -> pl.DataFrame:
    """With the column `said`: the text that the night encodes of each item."""
    columns = (items[name].to_list() for name in ("title", "category", "brand"))
    said = [item_text(*row) for row in zip(*columns, strict=True)]
    return items.with_columns(pl.Series("said", said, pl.String))


def cut_of(events: pl.DataFrame, held_out: float) -> str:
    """The last day to learn from: about `held_out` of the engagements are later. Raises ModelError without two days."""
    days = events.filter(pl.col("event_type").is_in(ENGAGED)).group_by("arrival_ds").len().sort("arrival_ds")
    if len(days) < 2:
        raise ModelError(
            f"user_history: expected events of at least two days, to learn from and to judge on, found {len(days)}; "
            "wait for more nights"
        )
    later = 1 - days["len"].cum_sum() / days["len"].sum()
    place = int((later <= held_out).arg_max() or 0)
    return str(days["arrival_ds"][min(place, len(days) - 2)])


def corpus_of(events: pl.DataFrame, items: pl.DataFrame, cut: str, preset: AdaptPreset) -> Corpus:
    """Texts and pairs of days up to `cut`, also of items first known by then.

    Raises ModelError if there is no text, or no two pairs of an objective that the preset names.
    """
    items = with_text(items).filter((pl.col("first_ds") <= cut) & (pl.col("said") != ""))
    if items.is_empty():
        raise ModelError(
            f"items: expected items with a title, category or brand known by {cut}, found none; an encoder of texts "
            "has nothing to learn here"
        )
    events = events.filter(pl.col("arrival_ds") <= cut).with_columns(pl.col("text").str.strip_chars())
    said = events.join(items.select("item_id", "said"), on="item_id", how="left", maintain_order="left")
    found = {
        "together": _together(said, preset.within_hours),
        "query": _queries(said),
        "review": _reviews(said),
        "category": _categories(items),
    }
    wanted = [name for name in preset.objectives if name in PAIRS] if preset.objectives else list(PAIRS)
    chosen = {name: _distinct(found[name]) for name in wanted}
    if preset.objectives:
        _check(chosen, events, cut)
    chosen = {name: rows for name, rows in chosen.items() if _learnable(rows)}
    if not chosen and "mlm" not in preset.objectives:
        raise ModelError(
            f"user_history and items: expected pairs of at least two different texts up to {cut}, found none of "
            f"{', '.join(wanted)}; wait for more nights, or name mlm in --objectives"
        )
    spoken = events["text"].drop_nulls() if "mlm" in preset.objectives else pl.Series("text", [], pl.String)
    every = [items["said"], spoken, *(rows[side] for rows in chosen.values() for side in ("left", "right"))]
    texts = pl.concat([it.rename("text") for it in every]).unique().sort()
    texts = texts.filter(texts != "")
    place = dict(zip(texts.to_list(), range(len(texts)), strict=True))
    pairs = {
        name: np.array([[place[a], place[b]] for a, b in rows.iter_rows()], np.int64).reshape(-1, 2)
        for name, rows in chosen.items()
    }
    return Corpus(texts.to_list(), pairs)


def _together(events: pl.DataFrame, hours: int) -> pl.DataFrame:
    acts = events.filter(pl.col("event_type").is_in(ENGAGED) & pl.col("said").is_not_null())
    acts = acts.sort("user_id", "event_time", maintain_order=True)
    limit = pl.duration(hours=hours)
    ahead = []
    for step in range(1, AHEAD + 1):
        later = acts.with_columns(
            right=pl.col("said").shift(-step).over("user_id"), at=pl.col("event_time").shift(-step).over("user_id")
        )
        ahead.append(later.filter(pl.col("at") - pl.col("event_time") <= limit).select(left="said", right="right"))
    return pl.concat(ahead)


def _queries(events: pl.DataFrame) -> pl.DataFrame:
    """Of a search and an act of the same moment, the search is first."""
    is_search = pl.col("event_type") == "search"
    rows = events.sort(["user_id", "event_time", is_search.not_()], maintain_order=True)
    rows = rows.with_columns(
        query=pl.when(is_search).then(pl.col("text").fill_null("")).forward_fill().over("user_id"),
        asked=pl.when(is_search).then("event_time").forward_fill().over("user_id"),
    )
    soon = pl.col("event_time") - pl.col("asked") <= pl.duration(minutes=QUERY_MINUTES)
    acts = rows.filter(pl.col("event_type").is_in(ENGAGED) & pl.col("said").is_not_null() & soon)
    return acts.select(left="query", right="said")


def _reviews(events: pl.DataFrame) -> pl.DataFrame:
    rows = events.filter((pl.col("event_type") == "review") & pl.col("said").is_not_null())
    return rows.select(left="said", right="text")


def _categories(items: pl.DataFrame) -> pl.DataFrame:
    return items.select(left=pl.col("title").str.strip_chars(), right=pl.col("category").str.strip_chars())


def _distinct(pairs: pl.DataFrame) -> pl.DataFrame:
    """Sorted, so that every process numbers them alike."""
    whole = pairs.drop_nulls().filter((pl.col("left") != "") & (pl.col("right") != ""))
    return whole.filter(pl.col("left") != pl.col("right")).unique().sort("left", "right")


def _learnable(pairs: pl.DataFrame) -> bool:
    """Pairs that all share a text have no negatives."""
    return len(pairs) >= 2 and pairs["left"].n_unique() >= 2 and pairs["right"].n_unique() >= 2


def _check(chosen: dict[str, pl.DataFrame], events: pl.DataFrame, cut: str) -> None:
    for name, pairs in chosen.items():
        if _learnable(pairs):
            continue
        searches = events.filter(pl.col("event_type") == "search").height
        expected = {
            "together": "users who came to two items shortly after each other",
            "query": f"queries after which an item was clicked or bought within {QUERY_MINUTES} minutes",
            "review": "reviews with a text",
            "category": "items with a title and a category",
        }[name]
        found = f"{len(pairs)} pairs of {pairs['left'].n_unique()} and {pairs['right'].n_unique()} different texts"
        asked = f", {searches} searches" if name == "query" else ""
        raise ModelError(
            f"objective {name}: expected at least two pairs of different texts ({expected}) up to {cut}, found "
            f"{found}{asked}; leave {name} out of --objectives"
        )
