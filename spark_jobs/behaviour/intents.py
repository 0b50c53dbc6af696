"""What a user searched for recently, and what it was about."""

from dataclasses import dataclass

import polars as pl

from spark_jobs.behaviour.unpacked import Unpacked

HALF_LIFE, DAYS_BACK = 7.0, 28  # days
MOST = 10  # queries per user
FOLLOWED_SECONDS = 1800  # an item within that time is what the search found
MOST_WORDS = 50_000
WORD = r"[\p{L}\p{N}]+"
LIST = pl.List(pl.Struct({"query": pl.String, "topic_id": pl.String, "weight": pl.Float32}))


@dataclass(frozen=True)
class Words:
    """What words say about topics: `word`, `topic_id`, `score`, the best topic of each word."""

    topics: pl.DataFrame


def learn_words(items: pl.DataFrame) -> Words:
    """From titles of items (item_id, topic_id, title): of the MOST_WORDS words of most items, the topic with most of
    its items, scored by the share and by how few items have the word."""
    words = _words(items.drop_nulls(["title", "topic_id"]), "title", "item_id", "topic_id")
    counts = words.group_by("word", "topic_id").agg(pl.len().alias("items"))
    total = pl.col("items").sum().over("word")
    counts = counts.with_columns(total=total, share=pl.col("items") / total)
    best = counts.sort("word", "items", "topic_id", descending=[False, True, False])
    best = best.unique("word", keep="first", maintain_order=True)
    common = best.sort("total", "word", descending=[True, False]).head(MOST_WORDS)
    score = pl.col("share") / pl.col("total").cast(pl.Float64).log1p()
    return Words(common.select("word", "topic_id", score=score).sort("word"))


def search_intents(chunk: Unpacked, words: Words) -> pl.DataFrame:
    """`row`, `search_intents`: of the users who searched, weights that sum to 1, most first."""
    query = pl.col("text").str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()
    searches = _followed(chunk).filter(pl.col("kind") == "search", pl.col("ago") < DAYS_BACK)
    searches = searches.with_columns(query=query).filter(pl.col("query") != "")
    weight = (0.5 ** (pl.col("ago") / HALF_LIFE)).sum()
    said = searches.group_by("row", "query").agg(weight=weight, found=pl.col("found").drop_nulls().mode().min())
    meant = _meant(said.select("query").unique(), words)
    said = said.join(meant, on="query", how="left")
    share = pl.col("weight") / pl.col("weight").sum().over("row")
    said = said.with_columns(weight=share.round(6), topic_id=pl.coalesce("found", "meant"))
    ordered = said.sort("row", "weight", "query", descending=[False, True, False])
    best = ordered.group_by("row", maintain_order=True).head(MOST)
    entry = pl.struct("query", "topic_id", pl.col("weight").cast(pl.Float32))
    return best.group_by("row", maintain_order=True).agg(search_intents=entry)


def _followed(chunk: Unpacked) -> pl.DataFrame:
    """The events; `found` is the topic of the item that the same user engaged with next."""
    after = pl.col("topic_id").fill_null(strategy="backward").over("row")
    when = pl.when(pl.col("topic_id").is_not_null()).then("time")
    soon = when.fill_null(strategy="backward").over("row") - pl.col("time")
    near = soon <= pl.duration(seconds=FOLLOWED_SECONDS)
    return chunk.acts.with_columns(found=pl.when(near).then(after))


def _meant(queries: pl.DataFrame, words: Words) -> pl.DataFrame:
    """`query`, `meant`: the topic that the words of a query point to; the first in case of ties."""
    told = _words(queries, "query", "query").join(words.topics, on="word")
    scores = told.group_by("query", "topic_id").agg(pl.col("score").sum().round(9))
    ordered = scores.sort("query", "score", "topic_id", descending=[False, True, False])
    best = ordered.unique("query", keep="first", maintain_order=True)
    return best.select("query", meant="topic_id")


def _words(rows: pl.DataFrame, text: str, *keep: str) -> pl.DataFrame:
    """One row per distinct word of each text, in lower case."""
    split = rows.select(*keep, word=pl.col(text).str.to_lowercase().str.extract_all(WORD))
    return split.explode("word").drop_nulls("word").unique()
