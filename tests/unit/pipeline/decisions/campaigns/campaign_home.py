"""A home with published users and logged ads, in which campaigns are decided."""

from datetime import UTC, datetime, timedelta

from pipeline.decisions.campaigns.build import build
from pipeline.runtime.days import shift
from pipeline.runtime.settings import Settings
from pipeline.storage import staging
from pipeline.storage.publish import publish
from pipeline.storage.reading import read
from pipeline.tables.registry import table_named
from tests.unit.pipeline.staged_factory import EVENT, SOUND, pass_audit, stage

LAST = "2024-03-20"
TABLES = ("ad_policy", "policy_judgements")
FILE = """
[arms.red]
[arms.blue]
[feedback]
days = 10
judge_days = 4
[champion]
policy = "uniform"
[challenger]
policy = "epsilon_greedy"
[people]
consent = "everyone"
"""


def user(number: int) -> str:
    return f"{number:032x}"


def put(settings: Settings, table: str, days: dict[str, list[dict]], run: str = "given") -> None:
    pass_audit(settings, stage(settings, table, days, run=run))
    publish(settings, table_named(table), run)


def put_users(settings: Settings, days: tuple[str, ...] = (LAST,), users: int = 6) -> None:
    """Users 0, 1, …; the odd ones are cold starts."""

    def row(ds: str, number: int) -> dict:
        return {**SOUND["user_features"], "ds": ds, "user_id": user(number), "is_cold_start": number % 2 == 1}

    put(settings, "user_features", {ds: [row(ds, number) for number in range(users)] for ds in days})


def put_ads(settings: Settings, clicked: dict[str, float], a_day: int = 120, run: str = "given") -> None:
    """Ten days of impressions, half of them of each arm, drawn with probability 1/2.

    `clicked` is the share of each arm's impressions that are followed by a view. User 0 saw the
    last impression of each day, the others are strangers.
    """
    days = {}
    for back in range(10):
        ds = shift(LAST, -back)
        days[ds] = [row for number in range(a_day) for row in ad(ds, number, clicked, a_day)]
    put(settings, "events", days, run)


def ad(ds: str, number: int, clicked: dict[str, float], a_day: int = 120) -> list[dict]:
    """An impression and, where it is clicked, the view that follows."""
    arm = ("red", "blue")[number % 2]
    shown = datetime.fromisoformat(ds).replace(tzinfo=UTC) + timedelta(minutes=number)
    who = user(0 if number == a_day - 1 else 1000 + number)
    both = {**EVENT, "ds": ds, "arrival_ds": ds, "account_id": who, "campaign_id": arm}
    impression = {
        **both,
        "event_id": f"{ds}i{number}",
        "event_type": "impression",
        "event_time": shown,
        "propensity": 0.5,
    }
    if (number // 2) % 10 >= 10 * clicked[arm]:
        return [impression]
    answer = {**both, "event_id": f"{ds}v{number}", "event_type": "view", "event_time": shown + timedelta(seconds=5)}
    return [impression, answer]


def declare(settings: Settings, text: str = FILE, name: str = "spring") -> None:
    folder = settings.home / "campaigns"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.toml").write_text(text)


def decided(settings: Settings, ds: str = LAST, run: str = "r1") -> tuple[dict, dict]:
    """Builds and publishes a day; the judgement of spring, and its rows by user."""
    build(settings, ds, run)
    for table in TABLES:
        [manifest] = staging.current(settings, table, run)
        pass_audit(settings, manifest)
        publish(settings, table_named(table), run)
    rows = {row["user_id"]: row for row in read("ad_policy", ds, settings).to_pylist()}
    [judgement] = read("policy_judgements", ds, settings).to_pylist()
    return judgement, rows


def chances(row: dict) -> dict[str, float]:
    return {entry["arm"]: round(entry["probability"], 4) for entry in row["arms"]}
