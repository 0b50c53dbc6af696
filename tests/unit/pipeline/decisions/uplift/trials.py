"""Trials with a known truth, and a home with an experiment in which one is planted."""

from dataclasses import replace

import numpy as np

from pipeline.decisions.experiments.assignment import assign
from pipeline.decisions.uplift.trial import Trial
from pipeline.runtime.settings import Settings
from tests.unit.pipeline.decisions.campaigns.campaign_home import put, user
from tests.unit.pipeline.staged_factory import EVENT, SOUND

NIGHT, ENTRY, LAST = "2024-03-04", "2024-03-05", "2024-03-07"
TOML = """
first_day = 2024-03-05
last_day = 2024-03-05
window_days = 3
entry = "view"
[arms]
old = 0.5
new = 0.5
[metrics.buyers]
event = "purchase"
role = "primary"
least_gain = 0.05
"""
NO_LISTS: dict[str, object] = {
    name: [] for name, value in SOUND["user_features"].items() if isinstance(value, list) and name != "platforms"
}


def trial(treated: list[int], outcome: list[float], propensity: float = 0.5) -> Trial:
    """A few users, as a person writes them down."""
    number = len(treated)
    arm = np.array(treated) == 1
    return Trial(
        "experiment:banner",
        "old",
        "new",
        "buyers",
        np.array([user(n) for n in range(number)]),
        arm,
        np.array(outcome, float),
        np.where(arm, propensity, 1 - propensity),
        np.zeros((number, 1), np.float32),
        ("x",),
        number,
    )


def drawn(users: int, seed: int, effect: float = 0.3, share: float = 0.5) -> tuple[Trial, np.ndarray]:
    """Five features; the treatment moves the outcome (0 or 1) of users by `effect` where the first
    one is above 0, and by nothing elsewhere. Returns the true effects too."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(users, 5)).astype(np.float32)
    truth = effect * (features[:, 0] > 0)
    treated = rng.random(users) < share
    chance = 0.2 + 0.2 * (features[:, 1] > 0) + truth * treated
    outcome = (rng.random(users) < chance).astype(float)
    made = replace(
        trial(treated.astype(int).tolist(), outcome.tolist(), share),
        features=features,
        columns=tuple("abcde"),
    )
    return made, truth


def put_nights(settings: Settings, users: int, nights: tuple[str, ...], **more: object) -> None:
    """Every second user bought within 28 days."""
    sound = {**SOUND["user_features"], **NO_LISTS}
    days = {
        night: [
            {**sound, "ds": night, "model_ds": night, "user_id": user(number), "purchases_28d": number % 2, **more}
            for number in range(users)
        ]
        for night in nights
    }
    put(settings, "user_features", days, run=f"nights-{nights[0]}")


def put_entries(settings: Settings, users: int, effect: float, lost: float = 0.0) -> None:
    """All enter on one day. A fifth buys; of the treated who bought before, `effect` more do.

    Of the treated a share is `lost`: no event tells of them.
    """
    arms = assign([user(number) for number in range(users)], "banner", (0.5, 0.5))
    rows = []
    for number in range(users):
        if arms[number] == 1 and number % 100 < 100 * lost:
            continue
        row = {**EVENT, "ds": ENTRY, "arrival_ds": ENTRY, "account_id": user(number)}
        rows.append({**row, "event_id": f"v{number}", "event_type": "view"})
        chance = 0.2 + effect * float(arms[number] == 1 and number % 2)
        if number * 0.6180339887 % 1 < chance:
            rows.append({**row, "event_id": f"p{number}", "event_type": "purchase"})
    put(settings, "events", {ENTRY: rows})


def declare(settings: Settings, text: str = TOML, name: str = "banner") -> None:
    folder = settings.home / "experiments"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.toml").write_text(text)
