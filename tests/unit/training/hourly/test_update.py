"""What a candidate learns, and what of a model does not move."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.runtime.errors import ModelError
from pipeline.runtime.settings import Settings
from tests.unit.training.factory import DS, embeddings
from tests.unit.training.hourly.day import DAY, ITEMS, untrained
from training.data.catalogue import Catalogue, build_catalogue
from training.data.users import Examples
from training.hourly.hour_rows import Older
from training.hourly.predicted import K, Pairs, quality
from training.hourly.update import Rows, Steps, candidate, moving
from training.model.model import TrainedModel
from training.network.network import Ensemble

FLAT = np.zeros(ITEMS, dtype=np.float32)


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return build_catalogue(embeddings(ITEMS))


@pytest.fixture(scope="module")
def older(shop_home: Settings, catalogue: Catalogue) -> Older:
    return Older.of(shop_home, DS, f"{DAY}T10", catalogue)


def moved(before: TrainedModel, after: TrainedModel) -> set[str]:
    old, new = before.model.state_dict(), after.model.state_dict()
    assert set(old) == set(new)
    return {name for name in old if not torch.equal(old[name], new[name])}


def learned(model: TrainedModel, older: Older, catalogue: Catalogue, *parts: str) -> TrainedModel:
    plan = Steps(parts, steps=2, rate=1e-2)
    rows = Rows(older.replayed, FLAT)
    return candidate(model, rows, rows, catalogue, plan)


def test_biases_learn_and_the_vectors_of_users_stay_what_they_are(older: Older, catalogue: Catalogue) -> None:
    model = untrained()
    before = {name: w.clone() for name, w in model.model.state_dict().items()}
    after = learned(model, older, catalogue, "bias")
    assert moved(model, after) == {"bias.weight"}
    assert all(torch.equal(w, before[name]) for name, w in model.model.state_dict().items())
    rows = np.arange(5)
    vectors = [m.user_vectors(older.held.past, rows, catalogue, m.item_vectors(catalogue)[0]) for m in (model, after)]
    assert torch.equal(*vectors)
    change = (after.model.bias.weight - model.model.bias.weight).abs()
    assert 0 < change.max() <= Steps().most + 1e-6
    replayed = [quality(m, older.replayed, catalogue, FLAT).loss for m in (model, after)]
    assert np.nanmean(replayed[1]) < np.nanmean(replayed[0])


def test_heads_learn_from_complete_labels_alone(older: Older, catalogue: Catalogue) -> None:
    model = untrained()
    heads = moved(model, learned(model, older, catalogue, "heads"))
    assert heads and all(name.startswith("heads.") for name in heads)
    unknown = np.full_like(older.replayed.labels, np.nan)
    none = replace(older, replayed=replace(older.replayed, labels=unknown))
    assert moved(model, learned(model, none, catalogue, "heads")) == set()


def test_low_rank_updates_where_the_champion_was_tuned_so(older: Older, catalogue: Catalogue) -> None:
    model = untrained(tuning="lora", rank=2, reads_text=True)
    assert moving(model, ("bias", "lora", "heads")) == ("bias", "lora", "heads")
    found = moved(model, learned(model, older, catalogue, "lora"))
    assert found and all(name.startswith("backbone.") for name in found)
    assert moving(untrained(), ("bias", "lora")) == ("bias",)
    assert moving(untrained(epsilon=4.0), ("bias", "heads")) == ("bias",)


def test_members_of_an_ensemble_learn_together(older: Older, catalogue: Catalogue) -> None:
    model = untrained()
    pair = replace(model, model=Ensemble([untrained().model, untrained().model]).eval())
    after = learned(pair, older, catalogue, "bias")
    assert moved(pair, after) == {"members.0.bias.weight", "members.1.bias.weight"}


def test_a_user_counts_once_however_much_they_did(older: Older, catalogue: Catalogue) -> None:
    rows = older.replayed
    pairs = Pairs.of(rows, catalogue)
    weights = np.bincount(pairs.row, pairs.weight, minlength=len(rows))
    assert set(np.round(weights, 9)) <= {0.0, 1.0}
    assert len(np.unique(pairs.row * ITEMS + pairs.item)) == len(pairs.row)


def test_a_loss_that_is_no_number_gives_no_candidate(older: Older, catalogue: Catalogue) -> None:
    model = untrained()
    torch.nn.init.constant_(model.model.bias.weight, float("nan"))
    with pytest.raises(ModelError, match="step 0: expected a finite loss, found nan"):
        learned(model, older, catalogue, "bias")


class Told:
    """Answers by hand: two users, four items of two platforms."""

    def item_vectors(self, catalogue: Catalogue) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.eye(4), torch.tensor([0.0, 0.0, 0.0, 1.0])

    def user_vectors(self, past, rows, catalogue, items) -> torch.Tensor:
        return torch.tensor([[1.0, 0.0, 2.0, 0.0], [0.0, 0.0, 0.0, 0.0]])[rows]

    def head_logits(self, users: torch.Tensor, features: np.ndarray) -> np.ndarray:
        return np.zeros((len(users), 2))


def test_answers_by_hand(older: Older, monkeypatch: pytest.MonkeyPatch) -> None:
    small = build_catalogue(embeddings(2))
    both = replace(
        small,
        item_ids=small.item_ids.take([0, 1, 0, 1]),
        platforms=("a", "b"),
        platform=np.array([0, 0, 1, 1]),
        first_day=np.array([0, 0, 0, 9]),
    )
    future = replace(
        older.held.future,
        offsets=np.array([0, 3, 4]),
        item=np.array([0, 2, 2, 3]),
        kind=np.ones(4, int),
    )
    examples = Examples(
        **{
            **vars(older.held),
            "users": older.held.users[:2],
            "as_of": np.array([5, 5]),
            "future": future,
            "labels": np.array([[1.0, np.nan], [np.nan, np.nan]]),
        }
    )
    found = quality(Told(), examples, both, np.array([0.0, 0.0, -1.0, 0.0], np.float32))
    # User 0: item 0 beside 1 on platform a; item 2 alone on b, since item 3 is not known yet.
    assert found.loss[0] == pytest.approx((np.log1p(np.exp(-1)) + 0) / 2)
    assert found.recall[0] == 1.0 and K == 10
    assert np.isnan(found.loss[1]) and np.isnan(found.recall[1])  # an item of tomorrow
    assert found.heads[0] == pytest.approx(np.log(2)) and np.isnan(found.heads[1])
