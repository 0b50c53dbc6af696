"""Text to unit vectors by Word2Vec: a text is the mean of its words, rare words weighing more.

Source: skip-gram with negative sampling (Mikolov et al. 2013), here with the whole text as window, as titles are short;
weights a / (a + share of the word) after Arora et al. 2017. A baseline.
"""

import re

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

WIDTH, EPOCHS, NEGATIVES, BATCH, RATE, SEED = 64, 5, 5, 4096, 0.01, 5
MOST_WORDS, MOST_PAIRS = 30_000, 1_000_000  # pairs of an epoch
FREQUENT = 1e-3  # share of a word at which its weight is a half
WORD = re.compile(r"\w+")


def words_of(text: str) -> list[str]:
    """Words in lower case."""
    return WORD.findall(text.lower())


def fit_word2vec(texts: list[str]) -> tuple[dict[str, Tensor], list[str]]:
    """`vectors` [words, width] and `weight` [words], and the words, the most frequent first."""
    read = [words_of(text) for text in sorted(set(texts))]
    found, counts = np.unique([word for words in read for word in words], return_counts=True)
    order = np.lexsort((found, -counts))[:MOST_WORDS]
    words, counts = [str(found[place]) for place in order], counts[order]
    place = {word: number for number, word in enumerate(words)}
    sentences = [np.array([place[w] for w in text if w in place], dtype=np.int64) for text in read]
    vectors = _learn(_pairs(sentences), counts)
    weight = FREQUENT / (FREQUENT + counts / max(1, counts.sum()))
    return {"vectors": vectors, "weight": torch.from_numpy(np.float32(weight))}, words


def word2vec_vectors(weights: dict[str, Tensor], words: list[str], texts: list[str]) -> np.ndarray:
    """[texts, width] vectors, zeros where no word is known; lengths are not 1."""
    place = {word: number for number, word in enumerate(words)}
    vectors, weight = weights["vectors"].double().numpy(), weights["weight"].double().numpy()
    found = np.zeros((len(texts), vectors.shape[1]))
    for row, text in enumerate(texts):
        known = [place[word] for word in words_of(text) if word in place]
        if known:
            found[row] = (weight[known, None] * vectors[known]).sum(axis=0)
    return found


def _pairs(sentences: list[np.ndarray]) -> np.ndarray:
    """[pairs, 2] words that occur in one text."""
    found = [np.zeros((0, 2), dtype=np.int64)]
    for words in sentences:
        left, right = np.meshgrid(words, words, indexing="ij")
        apart = ~np.eye(len(words), dtype=bool)
        found.append(np.stack([left[apart], right[apart]], axis=1))
    return np.concatenate(found)


def _learn(pairs: np.ndarray, counts: np.ndarray) -> Tensor:
    generator = np.random.default_rng(SEED)
    torch.manual_seed(SEED)
    inner = torch.nn.Parameter(torch.randn(len(counts), WIDTH) / WIDTH**0.5)
    outer = torch.nn.Parameter(torch.zeros(len(counts), WIDTH))
    optimizer = torch.optim.Adam([inner, outer], lr=RATE)
    drawn_as = counts**0.75 / max(1e-9, (counts**0.75).sum())
    for _ in range(EPOCHS):
        order = generator.permutation(len(pairs))[:MOST_PAIRS]
        for start in range(0, len(order), BATCH):
            batch = pairs[order[start : start + BATCH]]
            others = generator.choice(len(counts), (len(batch), NEGATIVES), p=drawn_as)
            # Gradients of embeddings are summed in a fixed order; those of indexing are not.
            center = functional.embedding(torch.from_numpy(batch[:, 0]), inner)
            near = functional.embedding(torch.from_numpy(batch[:, 1]), outer)
            own = (center * near).sum(1)
            far = functional.embedding(torch.from_numpy(others), outer)
            far = (center.unsqueeze(1) * far).sum(2)
            loss = -(functional.logsigmoid(own).mean() + functional.logsigmoid(-far).sum(1).mean())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return inner.detach()
