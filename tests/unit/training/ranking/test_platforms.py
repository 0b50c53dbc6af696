"""From users to lists: platforms, point in time, reasons, and blends that come back from a file."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.runtime.errors import ModelError
from tests.unit.training.factory import DS, embeddings, event
from tests.unit.training.scoring.test_scoring import crowd, history, model
from tests.unit.training.unfitted import plain_rankers
from training.data.arrow import day_number
from training.data.catalogue import Catalogue, build_catalogue
from training.data.users import UserStates, user_states
from training.model.lists import LISTS, REASONS, Lists
from training.model.predictor import Predictor
from training.ranking.features import SOURCES, feature_names, source
from training.ranking.moments import parts
from training.ranking.order import ANY, Rankers, load_rankers, save_rankers

pytestmark = pytest.mark.kernel

ITEMS = 60


@pytest.fixture(scope="module")
def shop() -> Catalogue:
    return build_catalogue(embeddings(ITEMS))


def states(catalogue: Catalogue, *users: tuple[list[str], list[dict]]) -> UserStates:
    table = history(*users)
    as_of = np.full(table.num_rows, day_number(DS), dtype=np.int32)
    return user_states(table, as_of, catalogue)


def predictor(catalogue: Catalogue) -> Predictor:
    trained = model(catalogue.item_ids, list(catalogue.platforms))
    return Predictor.of(trained, catalogue, crowd(catalogue))


def ranked(found: Predictor, users: UserStates, most: int = 50) -> dict[str, Lists]:
    rows = np.arange(len(users))
    asked = found.asked(users, rows, found.users(users, rows))
    return {name: found.listed(asked, name, most) for name in LISTS}


def test_every_feature_has_a_source_and_a_name_of_its_own() -> None:
    names = feature_names()
    assert len(set(names)) == len(names)
    assert {source(name) for name in names} == set(SOURCES)
    assert source("own_days*visits") == "own" and source("log_ease*seen") == "alike"
    assert source("log_users_14*repeat") == "trend" and source("text_lift*seen") == "text"


def test_own_items_come_first_and_never_among_the_new_ones(shop: Catalogue) -> None:
    seen = [event("shop:004", "purchase", DS), event("shop:008", "return", DS, 13)]
    lists = ranked(predictor(shop), states(shop, (["shop"], seen)))
    repeats, new = (lists[name].item.tolist() for name in LISTS)
    assert repeats[0] == 4
    assert 4 not in new
    assert 8 not in new  # it was returned, so the user knows it


def test_scores_are_shares_of_one_interest(shop: Catalogue) -> None:
    users = states(shop, (["shop"], [event("shop:004", "view", DS)]), (["shop"], []))
    for found in ranked(predictor(shop), users, most=ITEMS).values():
        sums = np.add.reduceat(found.score, found.offsets[:-1])
        assert np.allclose(sums, 1, atol=1e-4)
        for first, last in zip(found.offsets, found.offsets[1:], strict=False):
            assert (np.diff(found.score[first:last]) <= 0).all()


def test_a_user_of_two_platforms_gets_both_by_its_recent_share() -> None:
    import pyarrow as pa

    catalogue = build_catalogue(pa.concat_tables([embeddings(ITEMS), embeddings(ITEMS, "market")]))
    events = [event(f"shop:{n:03d}", "view", DS, n) for n in range(9)]
    events.append(event("market:001", "view", DS, 10))
    users = states(catalogue, (["shop", "market"], events))
    users.platforms[:] = True
    lists = ranked(predictor(catalogue), users, most=2 * ITEMS)
    found = lists["next_items"]
    of_shop = catalogue.platform[found.item] == catalogue.platforms.index("shop")
    assert np.isclose(found.score[of_shop].sum(), 9.1 / 10.2, atol=1e-4)


def test_reasons_name_what_the_linear_part_adds(shop: Catalogue) -> None:
    seen = [event("shop:004", "view", DS)]
    users = states(shop, (["shop"], seen))
    found = predictor(shop)
    entry = ranked(found, users)["next_items"]
    part = next(parts(users, np.arange(1), shop, found.markets))
    ranker = found.trained.rankers.of("shop", "next_items").ranker
    total = ranker.scores(part.moment)[np.searchsorted(part.moment.found.item, entry.item)]
    kept = total > -100  # outside the short list there is no network
    assert np.allclose(entry.reasons[kept].sum(axis=1), total[kept], atol=1e-4)
    own = entry.reasons[:, REASONS.index("own")]
    assert own[0] > 0 and not own[1:].any()


def test_blends_come_back_from_their_file(tmp_path: Path) -> None:
    made = plain_rankers(feature_names())
    save_rankers(made, tmp_path)
    back = load_rankers(tmp_path)
    assert back.features == made.features and back.fitted.keys() == made.fitted.keys()
    weights = [r.of("other", "next_items").ranker.blend.linear for r in (made, back)]
    assert np.array_equal(*[w.detach().numpy() for w in weights])
    assert back.of("other", "next_new_items").ranker.new_only


def test_blends_of_other_features_are_refused() -> None:
    made = plain_rankers([*feature_names(), "moon"])
    with pytest.raises(ModelError, match=r"found \d+ \(moon\).*train again"):
        Rankers({(ANY, "next_items"): made.of(ANY, "next_items")}, made.features).check(feature_names())
