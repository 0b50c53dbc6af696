"""Rows of the feature table for users and catalogues at the edges."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from pipeline.runtime.days import shift
from pipeline.runtime.errors import ModelError
from pipeline.tables.registry import EVENT_TYPES, USER_HISTORY
from tests.unit.training.factory import DS, TOPICS, daily, embeddings, event, user_id
from tests.unit.training.unfitted import plain_propensities, plain_rankers
from training.data.arrow import day_number
from training.data.catalogue import Catalogue, build_catalogue
from training.data.sequences import sequences
from training.data.users import HEADS
from training.data.windowed_counts import FEATURES
from training.model.model import Card, TrainedModel, load, save
from training.model.predictor import Predictor
from training.network.network import InterestModel, Shape
from training.network.presets import PRESETS
from training.network.vocabulary import Vocabulary
from training.ranking.engagements import Engagements, engagements
from training.ranking.features import feature_names
from training.scoring.bucket import Bucket, batches, list_lengths
from training.scoring.feature_rows import score_users

pytestmark = pytest.mark.kernel

ITEMS = 60


def history(*users: tuple[list[str], list[dict]]) -> pa.Table:
    """Rows of user_history from (platforms, events)."""
    rows = [
        {
            "ds": DS,
            "user_id": user_id(number),
            "platforms": platforms,
            "first_ds": DS,
            "last_ds": DS,
            "events": events,
            "daily": daily(events, platforms[0]),
        }
        for number, (platforms, events) in enumerate(users)
    ]
    return pa.Table.from_pylist(rows, schema=USER_HISTORY.schema)


def model(known: pa.Array, platforms: list[str], encoder: str = "made up") -> TrainedModel:
    """Untrained weights with everything around them that scoring needs."""
    torch.manual_seed(0)
    shape = Shape.of(
        PRESETS["tiny"],
        text_width=8,
        ids=len(known),
        platforms=len(platforms),
        features=len(FEATURES),
        heads=len(HEADS),
    )
    card = Card(DS, "r", {}, shape.as_dict(), encoder, platforms, {})
    vocabulary = Vocabulary(known, np.ones(len(known), dtype=np.int64))
    rankers = plain_rankers(feature_names())
    return TrainedModel(
        InterestModel(shape).eval(),
        vocabulary,
        card,
        fitted_rankers=rankers,
        fitted_propensities=plain_propensities(),
    )


def crowd(catalogue: Catalogue) -> Engagements:
    """What other users did: each turned to three items of one topic."""
    ids, users = catalogue.item_ids.to_pylist(), []
    for number in range(20):
        chosen = ids[number % TOPICS :: TOPICS][number % 3 :][:3]
        events = [event(item, "view", DS, hour) for hour, item in enumerate(chosen)]
        users.append((["shop"], events))
    past = sequences(history(*users)["events"], catalogue)
    return engagements(past, np.arange(len(past)), day_number(DS), len(catalogue))


def predictor(catalogue: Catalogue, known: int | None = None) -> Predictor:
    trained = model(catalogue.item_ids[:known], list(catalogue.platforms))
    return Predictor.of(trained, catalogue, crowd(catalogue))


@pytest.fixture(scope="module")
def shop() -> Catalogue:
    return build_catalogue(embeddings(ITEMS))


def listed(row: dict, name: str) -> list[str]:
    return [entry["item_id"] for entry in row[name]]


def test_a_user_who_only_searched_gets_what_is_popular(shop: Catalogue) -> None:
    users = history((["shop"], [event(None, "search", DS)]))
    row = score_users(users, DS, "1", predictor(shop)).to_pylist()[0]
    assert row["is_cold_start"]
    assert len(row["next_items"]) == 50
    assert np.isfinite(row["embedding"]).all()
    assert row["recency_days"] == 0


def test_days_of_activity_are_those_on_which_the_user_did_something(shop: Catalogue) -> None:
    """Also longer ago than a year; of who was only shown things, those on which they were."""
    act = event("shop:001", "view", shift(DS, -500))
    shown = [event("shop:001", "impression", shift(DS, -ago)) for ago in (600, 2)]
    users = history((["shop"], [act]), (["shop"], [*shown, act]), (["shop"], shown))
    rows = score_users(users, DS, "1", predictor(shop)).to_pylist()
    days = [(row["first_ds"], row["last_ds"], row["recency_days"]) for row in rows]
    assert days[0] == days[1] == (shift(DS, -500), shift(DS, -500), 500)
    assert days[2] == (shift(DS, -600), shift(DS, -2), 2)


def test_the_platforms_that_a_user_uses_bound_the_lists() -> None:
    both = pa.concat_tables([embeddings(ITEMS), embeddings(ITEMS, "market")])
    catalogue = build_catalogue(both)
    seen = [event("shop:001", "view", DS)]
    other = [event("market:001", "view", DS)]
    users = history((["shop"], seen), (["market"], other))
    first, second = score_users(users, DS, "1", predictor(catalogue)).to_pylist()
    assert {item.split(":")[0] for item in listed(first, "next_items")} == {"shop"}
    assert {item.split(":")[0] for item in listed(second, "next_items")} == {"market"}


def test_items_newer_than_the_model_are_ranked_by_their_text(shop: Catalogue) -> None:
    users = history((["shop"], [event("shop:001", "view", DS)]))
    found = predictor(shop, known=20)
    ids = found.trained.vocabulary.ids(shop)
    assert (ids[:20] > 0).all() and (ids[20:] == 0).all()
    same_topic = found.items[[20, 20 + TOPICS]]
    assert torch.cosine_similarity(*same_topic, dim=0) > 0.9
    new = set(listed(score_users(users, DS, "1", found).to_pylist()[0], "next_items"))
    assert new & set(shop.item_ids[20:].to_pylist())


def test_a_small_catalogue_gives_shorter_lists() -> None:
    tiny = build_catalogue(embeddings(3))
    users = history((["shop"], [event("shop:001", "view", DS)]))
    row = score_users(users, DS, "1", predictor(tiny)).to_pylist()[0]
    assert len(row["next_items"]) == 3
    assert sorted(listed(row, "next_new_items")) == ["shop:000", "shop:002"]
    assert list_lengths(tiny, 256) == {"next_items": 3, "next_new_items": 0}


def test_a_single_item_known_to_the_user_leaves_no_new_ones() -> None:
    one = build_catalogue(embeddings(1))
    users = history((["shop"], [event("shop:000", "view", DS)]))
    row = score_users(users, DS, "1", predictor(one)).to_pylist()[0]
    assert listed(row, "next_items") == ["shop:000"]
    assert row["next_new_items"] == []


def test_all_event_types_and_missing_prices_are_read(shop: Catalogue) -> None:
    events = [event("shop:001", kind, DS, hour) for hour, kind in enumerate(EVENT_TYPES)]
    events[0]["price"] = None
    events[1]["price"] = float("nan")
    users = history((["shop"], [e | {"price": e["price"] or 0.0} for e in events]))
    row = score_users(users, DS, "1", predictor(shop)).to_pylist()[0]
    assert all(0 <= row[f"p_{head}"] <= 1 for head in HEADS)
    assert np.isfinite(row["spend_28d"])
    assert row["events_28d"] == len(EVENT_TYPES)


def test_scores_do_not_depend_on_who_else_is_scored(shop: Catalogue) -> None:
    users = history(*[(["shop"], [event(f"shop:{n:03d}", "view", DS, h) for h in range(n + 1)]) for n in range(9)])
    together = score_users(users, DS, "1", predictor(shop)).to_pylist()
    for place in (0, 4, 8):
        alone = score_users(users.slice(place, 1), DS, "1", predictor(shop)).to_pylist()[0]
        assert np.allclose(alone["embedding"], together[place]["embedding"], atol=1e-5)
        assert listed(alone, "next_items")[:10] == listed(together[place], "next_items")[:10]


def test_buckets_share_the_users_out(tmp_path: Path) -> None:
    import pyarrow.dataset as arrow_dataset
    import pyarrow.parquet as pq

    users = history(*[(["shop"], [event("shop:001", "view", DS)]) for _ in range(50)])
    pq.write_table(users, tmp_path / "a.parquet", row_group_size=7)
    rows = arrow_dataset.dataset(tmp_path, schema=USER_HISTORY.schema)
    found = []
    for number in range(3):
        tables = list(batches(rows, Bucket(number, 3), size=4))
        assert max(table.num_rows for table in tables) <= 4
        found += [user for table in tables for user in table["user_id"].to_pylist()]
    assert sorted(found) == sorted(users["user_id"].to_pylist())


def test_a_catalogue_of_another_encoder_is_refused(shop: Catalogue) -> None:
    trained = model(shop.item_ids, ["shop"], encoder="older")
    with pytest.raises(ModelError, match=r"expected vectors of older, .* found made up"):
        trained.item_vectors(shop)


def test_a_model_comes_back_from_its_folder(shop: Catalogue, tmp_path: Path) -> None:
    trained = model(shop.item_ids[:5], ["shop"])
    save(trained, tmp_path)
    back = load(tmp_path)
    assert back.card == trained.card
    assert back.vocabulary.item_ids.equals(trained.vocabulary.item_ids)
    for name, weights in trained.model.state_dict().items():
        assert torch.equal(weights, back.model.state_dict()[name])
    (tmp_path / "weights.safetensors").unlink()
    with pytest.raises(ModelError, match=r"missing weights\.safetensors; train again"):
        load(tmp_path)
