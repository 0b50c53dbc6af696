"""Readable names of topics, from the words of their items' titles.

A word describes a topic if many of its titles and few other titles contain it: class-based TF-IDF (Grootendorst 2022,
BERTopic). Words of the item's own brand do not count: they name the maker.
"""

import unicodedata
from collections import Counter
from itertools import count

import numpy as np
import regex
from sklearn.feature_extraction.text import CountVectorizer

from pipeline.runtime.near_ties import DOUBLE, settled
from training.topics.day_items import DayItems

WORDS, IN_NAME = 8, 3  # words kept, and how many of them make the name if that is unique
CATEGORIES = 3
TITLES = 1_000  # read of each topic
LONGEST = 24  # characters of a word, for titles without spaces
# Pictographs with their joiners; letters with their marks, three of an alphabet that has few and abbreviates units
# ("ml", "cm"), two of others.
WORD = regex.compile(
    r"\p{Emoji_Presentation}(?:\u200d\p{Emoji}|\ufe0f|\p{EMod})*"
    r"|[\p{Latin}\p{Greek}\p{Cyrillic}][\p{Latin}\p{Greek}\p{Cyrillic}\p{M}]{2,}"
    r"|[^\P{L}\p{Latin}\p{Greek}\p{Cyrillic}][\p{L}\p{M}]+"
)
UNSPACED = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}]{2,}")
SEPARATOR = " · "


def words_of(text: str | None) -> list[str]:
    """Distinct words in order, lower case; scripts without spaces give pairs of characters."""
    found: dict[str, None] = {}
    for word in WORD.findall(unicodedata.normalize("NFKC", text or "").lower()):
        if UNSPACED.fullmatch(word):
            found.update(dict.fromkeys(word[n : n + 2] for n in range(len(word) - 1)))
        elif len(word) <= LONGEST:
            found[word] = None
    return list(found)


def telling_words(items: DayItems, labels: np.ndarray, topics: int) -> list[list[str]]:
    """The WORDS most descriptive words of each topic, best first; none if titles have none."""
    parts = [np.flatnonzero(labels == topic)[:TITLES] for topic in range(topics)]
    read = np.concatenate(parts)
    facts = items.facts.take(read)
    rows = list(zip(facts["title"].to_pylist(), facts["brand"].to_pylist(), strict=True))
    reader = CountVectorizer(analyzer=_own_words, binary=True, dtype=np.float64)
    try:
        counts = reader.fit_transform(rows)
    except ValueError:  # no title has a word
        return [[] for _ in range(topics)]
    names = reader.get_feature_names_out()
    totals = np.stack([np.asarray(counts[labels[read] == topic].sum(axis=0)).ravel() for topic in range(topics)])
    share = totals / np.maximum(np.bincount(labels[read], minlength=topics), 1)[:, None]
    rarity = np.log(1 + share.sum() / topics / np.maximum(share.sum(axis=0), 1e-9))
    seen_twice = totals > np.minimum(1, totals.max(axis=1, keepdims=True) - 1)  # if any word is
    score = share * rarity * seen_twice
    return [_best(names, row) for row in score]


def commonest(items: DayItems, column: str, labels: np.ndarray, topics: int) -> list[list[str]]:
    """The CATEGORIES most common values of a column among the items of each topic."""
    counts: list[Counter] = [Counter() for _ in range(topics)]
    for label, value in zip(labels.tolist(), items.facts[column].to_pylist(), strict=True):
        if value and value.strip():
            counts[label][value.strip()] += 1
    return [
        [value for value, _ in sorted(count.items(), key=lambda it: (-it[1], it[0]))[:CATEGORIES]] for count in counts
    ]


def name_topics(choices: list[list[str]], numbers: list[int], kept: dict[int, str]) -> list[str]:
    """A unique name for each topic: its first words, or more of them if that name is taken.

    `kept` names (by place) do not change unless another topic has the same name; a topic without words is "topic N",
    with its number, or the next one that is free.
    """
    names = dict(kept) if len(set(kept.values())) == len(kept) else {}
    for place, words in enumerate(choices):
        if place not in names:
            names[place] = _free(words, numbers[place], set(names.values()))
    return [names[place] for place in range(len(choices))]


def _free(words: list[str], number: int, taken: set[str]) -> str:
    for length in range(min(IN_NAME, len(words)), len(words) + 1):
        name = SEPARATOR.join(words[:length])
        if name and name not in taken:
            return name
    start = SEPARATOR.join(words[:IN_NAME]) or "topic"
    return next(name for n in count(number) if (name := f"{start} {n}") not in taken)


def _own_words(row: tuple[str | None, str | None]) -> list[str]:
    brand = set(words_of(row[1]))
    return [word for word in words_of(row[0]) if word not in brand]


def _best(names: np.ndarray, score: np.ndarray) -> list[str]:
    """The best words, ties in alphabetical order; of plural and singular only the better one."""
    chosen: list[str] = []
    for place in np.argsort(-settled(score, DOUBLE * score.max()), kind="stable")[: 4 * WORDS]:
        word = str(names[place])
        if score[place] > 0 and not any(_same_stem(word, other) for other in chosen):
            chosen.append(word)
    return chosen[:WORDS]


def _same_stem(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return long.startswith(short) and long[len(short) :] in ("s", "es")
