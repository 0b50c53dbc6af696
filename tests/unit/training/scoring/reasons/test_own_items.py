"""Own items and what they add to the entries of a list: by hand, and by taking them away."""

import numpy as np
import pyarrow as pa
import pytest

from tests.unit.training.factory import event
from tests.unit.training.scoring.reasons.shop import mixed_users, predictor, states_of
from tests.unit.training.scoring.test_scoring import history
from training.data.arrow import kept, plain
from training.data.sequences import sequences
from training.model.lists import LISTS, Lists
from training.model.predictor import Asked, Predictor
from training.ranking.features import ALIKE, feature_names
from training.scoring.reasons.columns import because
from training.scoring.reasons.own_items import Effects, effects

pytestmark = pytest.mark.kernel

COLUMNS = {name: f"share_{name}" for name in ALIKE} | {"text": "text_share"}


def asked(found: Predictor, users: pa.Table) -> Asked:
    states = states_of(users, found)
    rows = np.arange(len(states))
    return found.asked(states, rows, found.users(states, rows))


def all_effects(found: Predictor, given: Asked, ranked: Lists, name: str) -> Effects:
    part = given.every[0]
    fitted = found.trained.rankers.of("shop", name)
    parts = list(effects(part, found.markets["shop"], fitted, ranked.at))
    columns = zip(*((e.entry, e.item, e.effect) for e in parts), strict=True)
    return Effects(*(np.concatenate(column) for column in columns))


@pytest.mark.parametrize("name", COLUMNS)
def test_what_own_items_add_sums_to_the_score(name: str) -> None:
    """A blend that is twice one share: nothing is approximated, so nothing may be missing."""
    found = predictor(**{COLUMNS[name]: 2.0})
    given = asked(found, mixed_users(8))
    ranked = found.listed(given, "next_new_items", 50)
    every = all_effects(found, given, ranked, "next_new_items")
    total = np.bincount(every.entry, every.effect, len(ranked.item))
    share = given.every[0].moment.x[ranked.at, feature_names().index(COLUMNS[name])]
    # Where an item speaks against the entry, the score could be cut off at 0 without another one.
    against = np.bincount(every.entry, every.effect < 0, len(ranked.item)) > 0
    whole = (share > 0) & ~against
    assert whole.sum() > 20
    assert total[whole] == pytest.approx(2 * share[whole], abs=1e-5)


def test_a_repeat_is_worth_its_own_features() -> None:
    """Viewed on three days: own_days = log(1 + 3), of weight 1.5."""
    days = ("2024-05-20", "2024-05-25", "2024-05-28")
    events = [event("shop:004", "view", day) for day in days]
    events.append(event("shop:009", "view", "2024-05-29"))
    found = predictor(own_days=1.5)
    given = asked(found, history((["shop"], events)))
    ranked = found.listed(given, "next_items", 50)
    rows = because(found, given, ranked, "next_items").to_pylist()[0]
    assert rows == [
        {
            "item_id": "shop:004",
            "because_item_id": "shop:004",
            "effect": pytest.approx(1.5 * np.log(4)),
        },
        {
            "item_id": "shop:009",
            "because_item_id": "shop:009",
            "effect": pytest.approx(1.5 * np.log(2)),
        },
    ]


def test_at_most_three_items_for_the_first_ten_entries_in_their_order() -> None:
    found = predictor(own_days=1.0, log_near=1.0, text_near=1.0)
    users = mixed_users(5)
    given = asked(found, users)
    for name in LISTS:
        ranked = found.listed(given, name, 50)
        for user, reasons in enumerate(because(found, given, ranked, name).to_pylist()):
            listed = ranked.item[ranked.offsets[user] :][:10]
            ids = found.catalogue.item_ids.take(pa.array(listed)).to_pylist()
            told = [reason["item_id"] for reason in reasons]
            assert [ids.index(item) for item in told] == sorted(ids.index(item) for item in told)
            assert max(told.count(item) for item in set(told)) <= 3
            own = {e["item_id"] for e in users["events"].to_pylist()[user]}
            assert {reason["because_item_id"] for reason in reasons} <= own


def test_reasons_do_not_depend_on_who_else_is_asked_about() -> None:
    found = predictor(own_days=1.0, log_near=1.0, text_near=1.0)
    users = mixed_users(9)
    given = asked(found, users)
    together = because(found, given, found.listed(given, LISTS[0], 50), LISTS[0]).to_pylist()
    for place in (0, 4, 8):
        given = asked(found, users.slice(place, 1))
        alone = because(found, given, found.listed(given, LISTS[0], 50), LISTS[0]).to_pylist()
        assert [(reason["item_id"], reason["because_item_id"]) for reason in alone[0]] == [
            (reason["item_id"], reason["because_item_id"]) for reason in together[place]
        ]


def test_a_user_without_items_has_no_reasons() -> None:
    found = predictor(own_days=1.0, log_users_14=1.0)
    given = asked(found, history((["shop"], [event(None, "search", "2024-05-20")])))
    ranked = found.listed(given, "next_items", 50)
    assert len(ranked.item) == 50
    assert because(found, given, ranked, "next_items").to_pylist() == [[]]


def without(users: pa.Table, found: Predictor, item: np.ndarray) -> pa.Table:
    """Each user without the events of one item."""
    lists = plain(users["events"])
    past = sequences(lists, found.catalogue)
    rest = kept(lists, past.item != item[past.rows])
    return users.set_column(users.schema.get_field_index("events"), "events", rest)


@pytest.mark.parametrize("name", LISTS)
def test_taking_the_named_item_away_moves_the_score_more_than_any_other(name: str) -> None:
    """Deletion: the best entry's log-odds, after each own item is really taken out of the log."""
    found = predictor(own_days=1.0, log_near=0.5, log_follow=0.5, text_near=0.5)
    users = mixed_users(24)
    given = asked(found, users)
    ranked = found.listed(given, name, 50)
    first = ranked.offsets[:-1]
    every = all_effects(found, given, ranked, name)
    odds = _odds(found, users, ranked.item[first], name)
    named, others = [], []
    for user, entry in enumerate(first):
        mine = every.entry == entry
        order = np.argsort(-np.abs(every.effect[mine]))
        items = every.item[mine][order]
        one = users.take(pa.array(np.full(len(items), user)))
        entries = np.full(len(items), ranked.item[entry])
        moved = np.abs(_odds(found, without(one, found, items), entries, name) - odds[user])
        named.append(moved[0])
        others.append(moved[1:].mean())
    assert np.mean(np.array(named) > np.array(others)) > 0.9
    assert np.mean(named) > 2 * np.mean(others)


def _odds(found: Predictor, users: pa.Table, items: np.ndarray, name: str) -> np.ndarray:
    """[users] log-odds of one item each."""
    scores = found.listed(asked(found, users), name, 60).dense(60)
    chance = np.clip(scores[np.arange(len(items)), items], 1e-6, 1 - 1e-6)
    return np.log(chance / (1 - chance))
