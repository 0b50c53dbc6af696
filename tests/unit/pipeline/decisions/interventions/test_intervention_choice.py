"""The choice against a plain count of users one by one, for any people, caps and budgets."""

from pathlib import Path

import duckdb
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.decisions.interventions.choose import choose
from pipeline.decisions.interventions.declaration import Declaration, Kind
from pipeline.decisions.interventions.views import Views
from pipeline.decisions.people import Audience, People
from pipeline.runtime.days import shift
from tests.unit.pipeline.decisions.campaigns.campaign_home import user

DS, USERS = "2024-03-20", 6
people = st.sets(st.integers(0, USERS - 1))
CHANCES = st.lists(st.sampled_from([0.0, 0.2, 0.25, 0.6, 0.9, 0.95]), min_size=USERS, max_size=USERS)
COLUMNS = {
    "due_again": "[]",
    "anomaly_reason": "NULL",
    "is_regular": "true",
    "recency_days": "9",
    "usual_gap_days": "3.0",
    "p_purchase_7d": "0.5",
}
KINDS = ("fading_regular", "return_risk")


def kind(name: str, budget: int) -> Kind:
    usual = {
        "fading_regular": {"least_fading": 0.9, "most_silent_days": 84},
        "return_risk": {"least_chance": 0.2, "bought_within_days": 3},
    }
    return Kind(name, "act", budget, 7, 3, usual[name])


def views_of(fading: list[float], returning: list[float], told: dict[str, list]) -> Views:
    """Everybody is a regular and bought something today."""
    views = Views(duckdb.connect(config={"threads": 1}), {})
    users = pa.table({"user_id": list(map(user, range(USERS))), "fading": fading, "p_return_28d": returning})
    earlier = pa.table(
        {
            "user_id": pa.array([user(it[0]) for it in told["earlier"]], pa.string()),
            "kind": pa.array([it[1] for it in told["earlier"]], pa.string()),
            "ds": pa.array([shift(DS, -it[2]) for it in told["earlier"]], pa.string()),
        }
    )
    contacts = pa.table(
        {
            "user_id": pa.array([user(it[0]) for it in told["contacts"]], pa.string()),
            "of_six_days": pa.array([it[1] for it in told["contacts"]], pa.int64()),
            "of_newest_day": pa.array([min(it[1], it[2]) for it in told["contacts"]], pa.int64()),
        }
    )
    for name, table in (("users", users), ("earlier", earlier), ("contacts", contacts)):
        views.database.register(name, table)
    columns = ", ".join(f"{sql} AS {name}" for name, sql in COLUMNS.items())
    views.database.execute(f"CREATE VIEW features AS SELECT *, {columns} FROM users")
    views.database.execute(
        f"""CREATE VIEW events AS SELECT user_id, 'shop:1' AS item_id, 'purchase' AS event_type,
        '{DS}' AS ds, TIMESTAMPTZ '{DS} 12:00:00Z' AS event_time FROM users"""
    )
    return views


@settings(max_examples=40)
@given(
    fading=CHANCES,
    returning=CHANCES,
    consent=st.none() | people,
    refused=people,
    earlier=st.lists(st.tuples(st.integers(0, USERS - 1), st.sampled_from(KINDS), st.integers(1, 9)), max_size=4),
    contacts=st.lists(
        st.tuples(st.integers(0, USERS - 1), st.integers(1, 4), st.integers(0, 4)),
        max_size=4,
        unique_by=lambda it: it[0],
    ),
    budgets=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    caps=st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(1, 2)),
    holdout=st.sampled_from([0.0, 0.5]),
)
def test_the_choice_is_that_of_a_count_one_by_one(
    fading, returning, consent, refused, earlier, contacts, budgets, caps, holdout
) -> None:
    told = {"earlier": earlier, "contacts": contacts}
    everybody = tuple(kind(name, budget) for name, budget in zip(KINDS, budgets, strict=True))
    declaration = Declaration(everybody, People(Path("i.toml"), ""), holdout, *caps)
    allowed = None if consent is None else pa.array(map(user, sorted(consent)), pa.string())
    audience = Audience(allowed, pa.array(map(user, sorted(refused)), pa.string()))
    views = views_of(fading, returning, told)
    rows = choose(declaration, audience, views, DS)
    views.database.close()
    per_day, per_week, at_most = caps
    listed: list[tuple[str, int]] = []
    for name, scores, least, budget in zip(KINDS, (fading, returning), (0.9, 0.2), budgets, strict=True):
        left = budget
        for number in sorted(range(USERS), key=lambda it: (-scores[it], it)):
            of_week, newest = next(((w, min(w, d)) for n, w, d in contacts if n == number), (0, 0))
            already = sum(other == number for _, other in listed)
            if (
                scores[number] >= least
                and (consent is None or number in consent)
                and number not in refused
                and not any(n == number and k == name and ago < 7 for n, k, ago in earlier)
                and already < at_most
                and (not per_day or max(newest, already) < per_day)
                and (not per_week or of_week + already < per_week)
                and left
            ):
                listed.append((name, number))
                left -= 1
    assert [(row["kind"], int(str(row["user_id"]), 16)) for row in rows] == listed
    assert all((row["suggested_action"] is None) == row["held_out"] for row in rows)
    assert holdout or not any(row["held_out"] for row in rows)
