"""What this machine decides about a shop full of near-ties, as JSON; test_kernels.py compares.

    python -m tests.unit.training.decisions MODEL [SEED]

MODEL is a folder with fitted propensities. With a SEED, all input rows come in another order.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as arrow_dataset

from pipeline.tables.registry import ITEM_EMBEDDINGS, ITEMS
from tests.unit.training.factory import DS, TOPICS, embeddings, event, item_rows
from tests.unit.training.factory import history as lives
from tests.unit.training.scoring.test_scoring import history, model
from training.data.arrow import day_number
from training.data.catalogue import build_catalogue
from training.data.sequences import sequences
from training.model.lists import LISTS
from training.model.predictor import Predictor
from training.propensity.stack import load_propensities
from training.ranking.blend import plain_blend
from training.ranking.candidates import candidates
from training.ranking.engagements import Engagements, engagements
from training.ranking.features import feature_names
from training.ranking.mixture import Mixture
from training.ranking.order import ANY, Fitted, ListOrder, Rankers
from training.scoring.feature_rows import score_users
from training.texts.item_texts import text_hash
from training.topics.co_engagement import co_engagement
from training.topics.day_items import item_vectors, read_items
from training.topics.lineage import Earlier
from training.topics.placing import place_items
from training.topics.topic_rows import both_tables

ITEMS_OF_SHOP, USERS = 240, 40
BLEND = {
    "share_ease": 2.0,
    "share_near": 1.0,
    "share_follow": 1.0,
    "share_carried_14": 1.0,
    "text_share": 1.0,
    "own_days": 0.5,
    "log_users_14": 0.3,
}


def main(folder: Path, seed: int | None) -> None:
    worlds = {
        # items without a title lie where their neighbours do: equal but for rounding
        "untitled": topics(seed, 8, 8, nameless=(5, 6)),
        # no topics at all, so that every split and merge is a close call
        "cloud": topics(seed, 300, 0, noise=1.0),
        "equal items": topics(seed, 90, 9, alike=3),
        "silent": topics(seed, 120, 6, nameless=tuple(range(120))),
        "some silent": topics(seed, 200, 0, noise=0.6, nameless=tuple(range(0, 200, 3))),
    }
    print(json.dumps({"topics": worlds} | scores(folder, seed)))


def topics(
    seed: int | None,
    items: int,
    wanted: int,
    noise: float = 0.0,
    nameless: tuple[int, ...] = (),
    alike: int = 1,
) -> dict[str, object]:
    """Item to topic, and the topics' names; `alike` items in a row have one text vector."""
    rows, vectors = item_rows(items).to_pylist(), embeddings(items).to_pylist()
    luck = np.random.default_rng(9)
    for n, (row, vector) in enumerate(zip(rows, vectors, strict=True)):
        row["title"] = None if n in nameless else f"thing{n % TOPICS} kind{n % 7}"
        vector["text_hash"] = text_hash(row["title"] or "")
        moved = np.array(vectors[n - n % alike]["embedding"]) + noise * luck.normal(size=8)
        vector["embedding"] = (moved / np.linalg.norm(moved)).tolist()
    day = read_items(
        arrow_dataset.dataset(_mixed(pa.Table.from_pylist(vectors, ITEM_EMBEDDINGS.schema), seed)),
        arrow_dataset.dataset(_mixed(pa.Table.from_pylist(rows, ITEMS.schema), seed)),
    )
    users = _mixed(lives(40, items), seed)
    found = item_vectors(day.text, co_engagement(arrow_dataset.dataset(users), DS, day.ids))
    past = Earlier.none(day)
    named, placed = both_tables(day, found, past, place_items(day, found, past, DS, wanted), DS)
    chosen = zip(placed["item_id"].to_pylist(), placed["topic_id"].to_pylist(), strict=True)
    return {"items": dict(chosen), "names": named["name"].to_pylist()}


def scores(folder: Path, seed: int | None) -> dict[str, object]:
    """Candidates, lists, reasons and chances of each user."""
    catalogue = build_catalogue(_mixed(twins(), seed))
    everyone = _mixed(visitors(), seed)
    past = sequences(everyone["events"], catalogue)
    known = engagements(past, np.arange(len(past)), day_number(DS), len(catalogue))
    blend = plain_blend([BLEND.get(name, 0.0) for name in feature_names()])
    lists = {(ANY, name): Fitted(ListOrder(blend, blend, 30, name != "next_items"), _mixture()) for name in LISTS}
    trained = replace(
        model(catalogue.item_ids, ["shop"]),
        fitted_rankers=Rankers(lists, feature_names()),
        fitted_propensities=load_propensities(folder),
    )
    predictor = Predictor.of(trained, catalogue, known)
    rows = {r["user_id"]: r for r in score_users(everyone, DS, "1", predictor).to_pylist()}
    found: dict[str, dict] = {}
    for user in sorted(rows):
        row = rows[user]
        found[user] = {
            "lists": [[e["item_id"] for e in row[name]] for name in LISTS],
            "because": [[list(e.values())[:2] for e in row[f"{name}_because"]] for name in LISTS],
            "reasons": [list(e.values())[:3] for e in row["propensity_reasons"]],
        }
    chances = {user: [row[n] for n in sorted(row) if n.startswith("p_")] for user, row in rows.items()}
    return {"users": found, "candidates": pools(predictor, known), "chances": chances}


def pools(predictor: Predictor, known: Engagements) -> list[list[int]]:
    """The candidates of each user, in an order that does not tell which row a user had."""
    everything = np.ones(len(predictor.catalogue), dtype=bool)
    found = candidates(known, predictor.markets["shop"], everything)
    return sorted(found.item[found.row == user].tolist() for user in range(known.users))


def twins() -> pa.Table:
    """Items n and n + ITEMS_OF_SHOP / 2 have one text."""
    rows = embeddings(ITEMS_OF_SHOP).to_pylist()
    for n in range(ITEMS_OF_SHOP // 2):
        rows[n + ITEMS_OF_SHOP // 2]["embedding"] = rows[n]["embedding"]
    return pa.Table.from_pylist(rows, schema=ITEM_EMBEDDINGS.schema)


def visitors() -> pa.Table:
    """Each user saw both items of some pairs of twins on one day, so that twins have one score."""
    luck, users = np.random.default_rng(2), []
    for _ in range(USERS):
        events = []
        for n in luck.integers(0, ITEMS_OF_SHOP // 2, 5):
            day = f"2024-05-{luck.integers(10, 31)}"
            for item in (n, n + ITEMS_OF_SHOP // 2):
                events.append(event(f"shop:{item:03d}", "view", day))
        users.append((["shop"], sorted(events, key=lambda e: e["arrival_ds"])))
    return history(*users)


def _mixture() -> Mixture:
    return Mixture(np.tile(np.array([1.0, 0.3], dtype=np.float32), (3, 1)))


def _mixed(table: pa.Table, seed: int | None) -> pa.Table:
    if seed is None:
        return table
    return table.take(pa.array(np.random.default_rng(seed).permutation(len(table))))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None)
