"""How good or bad a review's text sounds, learned from the ratings that accompany other reviews.

Ridge regression on TF-IDF of hashed character n-grams: it knows no language, so scripts without spaces, right-to-left
scripts and emoji work like any other.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.sparse import csr_matrix

FEWEST = 200  # rated reviews; with fewer, every sentiment is 0
MOST = 30_000  # rated reviews to learn from, the newest
LATER = 0.2  # newest share of the rated reviews, used to measure quality
HASHES, LENGTHS = 2**18, (2, 4)  # words begin and end with a space, so one letter gives two
TEXT_LENGTH = 400
SCALES = (5, 10, 100)  # the highest ratings of platforms
PULL = 1.0


@dataclass(frozen=True)
class Sentiment:
    """A fitted model: `sentiments` gives -1 (bad) to 1 (good)."""

    idf: np.ndarray  # [HASHES]
    weights: np.ndarray  # [HASHES]
    usual: float

    def sentiments(self, texts: list[str]) -> np.ndarray:
        """[texts]; a text without a known n-gram gets 0, not the mean: it says nothing."""
        rows = _weighted(_counts(texts), self.idf)
        told = np.diff(rows.indptr) > 0
        return np.where(told, np.clip(rows @ self.weights + self.usual, -1, 1), 0.0)


def learn(texts: list[str], ratings: np.ndarray) -> Sentiment:
    """Fits `ratings` [texts], which are in -1 to 1."""
    from sklearn.linear_model import Ridge

    counts = _counts(texts)
    known = np.bincount(counts.indices, minlength=HASHES)
    # An n-gram that no text here has must not affect later texts.
    idf = np.where(known > 0, np.log((1 + len(texts)) / (1 + known)) + 1, 0.0)
    model = Ridge(alpha=PULL, solver="sparse_cg", tol=1e-5).fit(_weighted(counts, idf), ratings)
    return Sentiment(idf, model.coef_, float(model.intercept_))


def cross_sentiments(reviews: pl.DataFrame, rated: pl.DataFrame) -> np.ndarray:
    """[reviews] sentiments by models that did not see the review's own rating.

    Two models each learn from half of `rated`, split by `event_id`. A review is scored by the model of the other half,
    so its sentiment comes from its text only.
    """
    if len(rated) < FEWEST:
        return np.zeros(len(reviews))
    half, mine = (_half(rows["event_id"]) for rows in (rated, reviews))
    models = [
        learn(rated["text"].filter(pl.Series(half == number)).to_list(), target)
        for number in range(2)
        for target in [rated["target"].to_numpy()[half == number]]
    ]
    found = np.zeros(len(reviews))
    for number, model in enumerate(models):
        other = mine != number
        found[other] = model.sentiments(reviews["text"].filter(pl.Series(other)).to_list())
    return found


def on_scale(reviews: pl.DataFrame) -> pl.DataFrame:
    """The rated reviews with `target` in -1 to 1 and their text, newest MOST.

    A platform's scale ends at the first of SCALES that holds its highest rating, and begins at 1, or at 0 where it
    gives less than 1: the middle of the scale is neutral, not the usual rating.
    """
    rated = reviews.filter(pl.col("rating").is_finite() & (pl.col("text") != ""))
    high, low = (pl.col("rating").max().over("platform"), pl.col("rating").min().over("platform"))
    top = pl.min_horizontal(pl.when(high <= scale).then(scale) for scale in SCALES)
    bottom = pl.when(low < 1).then(pl.min_horizontal(low, pl.lit(0.0))).otherwise(1.0)
    top = pl.coalesce(top, high)
    target = 2 * (pl.col("rating") - bottom) / (top - bottom) - 1
    newest = rated.with_columns(target=target).sort("ds", "event_id").tail(MOST)
    return newest.with_columns(pl.col("target").cast(pl.Float64))


def later_quality(rated: pl.DataFrame) -> dict[str, float]:
    """Correlation with the ratings, and AUC of good against bad ratings, on the newest LATER of `rated`, from a model
    of the earlier ones; empty if there are too few or all are equal.
    """
    from sklearn.metrics import roc_auc_score

    cut = round(len(rated) * (1 - LATER))
    before, after = rated[:cut], rated[cut:]
    told = after.filter(pl.col("target") != 0)
    if cut < FEWEST or told["target"].sign().n_unique() < 2:
        return {}
    model = learn(before["text"].to_list(), before["target"].to_numpy())
    found = model.sentiments(after["text"].to_list())
    clear = after["target"].to_numpy() != 0
    good = after["target"].to_numpy()[clear] > 0
    correlation = np.corrcoef(found, after["target"].to_numpy())[0, 1]
    return {"correlation": float(correlation), "auc": float(roc_auc_score(good, found[clear]))}


def _half(event_id: pl.Series) -> np.ndarray:
    """[rows] 0 or 1, from the last hex digit of the event's id."""
    return event_id.str.slice(-1).str.to_integer(base=16).to_numpy() % 2


def _counts(texts: list[str]) -> csr_matrix:
    from sklearn.feature_extraction.text import HashingVectorizer

    reader = HashingVectorizer(
        analyzer="char_wb",
        n_features=HASHES,
        ngram_range=LENGTHS,
        norm=None,
        alternate_sign=False,
        dtype=np.float32,
    )
    return reader.transform(text[:TEXT_LENGTH] for text in texts)


def _weighted(counts: csr_matrix, idf: np.ndarray) -> csr_matrix:
    """Rows of length 1; unknown n-grams are left out."""
    from sklearn.preprocessing import normalize

    weighted = counts.astype(np.float64)
    weighted.data = (1 + np.log(weighted.data)) * idf[weighted.indices]
    weighted.eliminate_zeros()
    return normalize(weighted, copy=False)
