"""A home with users, events and prices of a few nights, for which interventions are listed."""

from datetime import UTC, datetime, timedelta

from pipeline.decisions.interventions.build import build
from pipeline.runtime.days import shift
from pipeline.runtime.settings import Settings
from pipeline.storage import staging
from pipeline.storage.publish import publish
from pipeline.storage.reading import read
from pipeline.tables.registry import table_named
from tests.unit.pipeline.decisions.campaigns.campaign_home import put, user
from tests.unit.pipeline.staged_factory import EVENT, SOUND, pass_audit

LAST = "2024-03-20"
EVERYBODY = '[people]\nconsent = "everyone"\n'
KIND = '[{name}]\naction = "call {name}"\ndaily_budget = {budget}\n'


def kind(name: str, budget: int = 10, more: str = "") -> str:
    return KIND.format(name=name, budget=budget) + more + "\n"


def declare(settings: Settings, *kinds: str, people: str = EVERYBODY, top: str = "") -> None:
    (settings.home / "interventions.toml").write_text(top + people + "".join(kinds))


def put_users(settings: Settings, users: dict[int, dict], ds: str = LAST) -> None:
    """`user_features` of a night: what is unlike the sound row, by number of the user."""
    rows = [{**SOUND["user_features"], "ds": ds, "user_id": user(n), **it} for n, it in users.items()]
    put(settings, "user_features", {ds: rows}, run=f"users-{ds}")


def put_events(settings: Settings, *events: tuple) -> None:
    """Each one (days ago, user, type, item, price and what else is unlike the sound row)."""
    days: dict[str, list[dict]] = {}
    for place, (ago, number, act, item, *changes) in enumerate(events):
        ds = shift(LAST, -ago)
        at = datetime.fromisoformat(ds).replace(tzinfo=UTC) + timedelta(minutes=place)
        row = {
            **EVENT,
            "ds": ds,
            "arrival_ds": ds,
            "event_id": f"{place:032x}",
            "event_time": at,
            "account_id": user(number),
            "event_type": act,
            "item_id": item,
            "quantity": None,
            "price": None,
        }
        days.setdefault(ds, []).append(row | dict(*changes))
    put(settings, "events", days, run="events")


def put_prices(settings: Settings, prices: dict[str, list[float | None]]) -> None:
    """Prices of items on the nights up to LAST, oldest first; all lists are of one length."""
    nights = len(next(iter(prices.values())))
    days = {}
    for place in range(nights):
        ds = shift(LAST, place + 1 - nights)
        days[ds] = [
            {
                **SOUND["items"],
                "ds": ds,
                "item_id": item,
                "price": told[place],
                "first_ds": "2024-01-01",
                "updated_ds": ds,
            }
            for item, told in prices.items()
        ]
    put(settings, "items", days, run="items")


def listed(settings: Settings, ds: str = LAST, run: str = "r1") -> list[dict]:
    """Builds and publishes a night; its rows in order."""
    build(settings, ds, run)
    [manifest] = staging.current(settings, "interventions", run)
    pass_audit(settings, manifest)
    publish(settings, table_named("interventions"), run)
    rows = read("interventions", ds, settings).to_pylist()
    return sorted(rows, key=lambda row: (row["kind"], row["place"]))


def who(rows: list[dict]) -> list[tuple[str, int]]:
    """Kind and user of each row."""
    return [(row["kind"], int(row["user_id"], 16)) for row in rows]
