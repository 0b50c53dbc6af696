"""Which groups users and items fall into."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from pipeline.runtime.days import shift
from pipeline.runtime.errors import ModelError, SettingsError
from pipeline.runtime.settings import Settings, load_settings
from pipeline.tables.registry import EVENTS, ITEMS
from tests.unit.training.evaluation.baselines.lives import CUT, window
from tests.unit.training.factory import DS, embeddings, item_rows, publish_day, user_id
from training.data.answers import Answers
from training.data.catalogue import build_catalogue
from training.evaluation.audit_groups import attributes_of, columns_of, day_of, items_by, users_by
from training.evaluation.fairness import Served

SHOP = build_catalogue(embeddings(3), item_rows(3))
USERS = pa.array([user_id(1), user_id(2), user_id(3)])


def seen(number: int, user: int, ds: str, known_ds: str | None = None, hour: int = 9, **attributes: str) -> dict:
    return {
        "ds": ds,
        "platform": "shop",
        "event_id": f"{number:032x}",
        "account_id": user_id(user),
        "event_type": "view",
        "event_time": datetime.fromisoformat(ds).replace(hour=hour, tzinfo=UTC),
        "arrival_ds": ds,
        "known_ds": known_ds,
        "attributes": list(attributes.items()),
    }


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """User 1 moves from `at` to `de`, then to `ch` after the cut-off; user 2 has no country; user 3 moves at noon."""
    settings = Settings(home=tmp_path_factory.mktemp("logged"), audit_users="country", audit_items="brand")
    days = {
        shift(CUT, -1): [seen(1, 1, shift(CUT, -1), country="at"), seen(2, 2, shift(CUT, -1), device="phone")],
        CUT: [
            seen(3, 1, CUT, country="de"),
            seen(4, 1, CUT, known_ds=shift(CUT, 1), hour=23, country="li"),
            seen(5, 3, CUT, hour=13, country="it"),
            seen(6, 3, CUT, hour=11, country="fr"),
        ],
        shift(CUT, 1): [seen(7, 1, shift(CUT, 1), country="ch")],
    }
    for ds, rows in days.items():
        publish_day(settings, "events", pa.Table.from_pylist(rows, schema=EVENTS.schema), ds, ds)
    rows = item_rows(3).to_pylist()
    rows[0]["brand"], rows[2]["brand"] = "acme", "best"
    publish_day(settings, "items", pa.Table.from_pylist(rows, schema=ITEMS.schema))
    return settings


def test_an_attribute_is_the_newest_one_known_by_the_cut_off(logged: Settings) -> None:
    found = attributes_of(logged, USERS, CUT, DS)
    assert {name: values.tolist() for name, values in found.items()} == {"country": ["de", "unknown", "it"]}


def test_an_attribute_that_no_event_has_is_named(logged: Settings) -> None:
    wrong = logged.model_copy(update={"audit_users": "planet"})
    with pytest.raises(ModelError, match=r"TIDEMARK_AUDIT_USERS: expected attributes of events, found 'planet'"):
        attributes_of(wrong, USERS, CUT, DS)


def test_brands_are_those_of_the_day(logged: Settings) -> None:
    assert columns_of(logged, SHOP, DS, {})["brand"].tolist() == ["acme", "unknown", "best"]


def test_nothing_declared_reads_nothing(home: Settings) -> None:
    assert attributes_of(home, USERS, CUT, DS) == columns_of(home, SHOP, DS, {}) == {}


def test_users_by_activity_and_newness() -> None:
    # Known for 28 days at the cut-off, and for one day longer; a third without any engagement.
    examples = window([[(0, 27)], [(0, 28), (1, 1), (1, 2)], [(0, 40)] * 2], 3)
    found = users_by(examples, SHOP)
    assert found["newness"].tolist() == ["new", "known", "known"]
    assert found["activity"].tolist() == ["low", "high", "middle"]
    assert found["platform"].tolist() == ["shop"] * 3


def test_users_of_several_platforms_are_a_group_of_their_own() -> None:
    two = replace(SHOP, platforms=("app", "shop"))
    used = np.array([[True, False], [True, True], [False, False]])
    examples = replace(window([[(0, 1)], [(0, 1)], [(0, 1)]], 3), platforms=used)
    assert users_by(examples, two)["platform"].tolist() == ["app", "several", "unknown"]


def test_items_by_age_and_popularity() -> None:
    as_of = 20_000
    catalogue = replace(SHOP, first_day=np.array([as_of - 6, as_of - 7, as_of - 28]))
    nothing = np.zeros(0, dtype=int)
    served = Served(
        nothing,
        np.zeros((0, 20), dtype=int),
        Answers(nothing, nothing, nothing, 0, 3),
        np.zeros((0, 10)),
        np.zeros((0, 10)),
        np.array([True, True, False]),
        np.array([1.0, 5.0, 9.0]),
    )
    found = items_by(served, catalogue, as_of)
    assert found["age"].tolist() == ["up to 7 days", "up to 28 days", "older"]
    assert found["popularity"].tolist() == ["decile 06", "decile 01", "unknown"]


def test_days_by_number() -> None:
    assert (day_of(0), day_of(19_000)) == ("1970-01-01", "2022-01-08")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FAIRNESS_LIMITS", "gap/platform/ndcg_10 < 0.05"),
        ("FAIRNESS_LIMITS", "gap/platform/ndcg_10 <= much"),
        ("FAIRNESS_LIMITS", "a <= 1 b <= 2"),
        ("AUDIT_ITEMS", "colour"),
        ("AUDIT_USERS", "country,platform"),
        ("AUDIT_USERS", "a/b"),
    ],
    ids=["sign", "number", "comma", "column", "taken", "slash"],
)
def test_settings_that_are_not_understood_are_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"TIDEMARK_{name}", value)
    with pytest.raises(SettingsError, match=f"TIDEMARK_{name}"):
        load_settings()
