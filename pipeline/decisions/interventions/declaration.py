"""`$TIDEMARK_HOME/interventions.toml`: what people declare about interventions.

`docs/policy.md` explains every key. Without the file nobody has consented, and nobody is listed; a
misspelt key is refused with file and key, and yesterday's list stays in place.
"""

from dataclasses import dataclass

from pipeline.decisions.people import People, declared_people
from pipeline.runtime.errors import CampaignError
from pipeline.runtime.settings import Settings
from pipeline.runtime.toml_section import Section, open_toml

FILE = "interventions.toml"
TOP = ("holdout", "people", "caps")
CAPS = ("per_day", "per_week")
OF_EVERY_KIND = ("enabled", "action", "daily_budget", "cool_down_days", "valid_days")
REACH = "_within_days"
# Thresholds of each kind, and what they are where the file does not say.
SHARES = {
    "fading_regular": {"least_fading": 0.9},
    "return_risk": {"least_chance": 0.2},
    "price_drop": {"least_drop": 0.1},
    "due_again": {"least_chance": 0.0},
}
DAYS = {
    "fading_regular": {"most_silent_days": 84},
    "return_risk": {"bought_within_days": 3},
    "price_drop": {"looked_within_days": 28},
    "due_again": {"due_within_days": 3},
}


@dataclass(frozen=True)
class Kind:
    """One kind of intervention. `limits` are its thresholds by name."""

    name: str
    action: str
    daily_budget: int
    cool_down_days: int
    valid_days: int
    limits: dict[str, float]

    @property
    def days(self) -> int:
        """How far it looks back at events and prices, or ahead."""
        return int(max((self.limits[key] for key in self.limits if key.endswith(REACH)), default=0))


@dataclass(frozen=True)
class Declaration:
    """`kinds` are those that are on, in the order of the file: a user who may be contacted once
    is named by the first one. Caps of 0 are none."""

    kinds: tuple[Kind, ...]
    people: People
    holdout: float
    per_day: int
    per_week: int
    interventions_per_day: int

    @property
    def days_back(self) -> int:
        return max((kind.days for kind in self.kinds), default=0)

    @property
    def cool_down_days(self) -> int:
        return max((kind.cool_down_days for kind in self.kinds), default=0)


def load_declaration(settings: Settings) -> Declaration | None:
    """None without a file. Raises CampaignError naming the file and the key that is wrong."""
    file = settings.home / FILE
    if not file.exists():
        return None
    top = open_toml(file, CampaignError)
    people = declared_people(file, top.section("people"))
    caps, holdout = _caps(top.section("caps", optional=True)), top.share("holdout", 0.0)
    kinds = [_kind(top, name) for name in top.left()]
    return Declaration(tuple(kind for kind in kinds if kind), people, holdout, **caps)


def _caps(section: Section) -> dict[str, int]:
    found = {
        # 0 without the key; whoever writes 0 wants nobody contacted, and gets no unlimited list
        **{key: _above_zero(section, key, 0) if section.has(key) else 0 for key in CAPS},
        "interventions_per_day": _above_zero(section, "interventions_per_day", 1),
    }
    section.nothing_else(tuple(found))
    return found


def _kind(top: Section, name: str) -> Kind | None:
    if name not in SHARES:
        raise top.wrong(name, f"one of {', '.join((*TOP, *SHARES))}", name)
    section = top.section(name)
    enabled = section.flag("enabled", True)
    shares = {key: section.share(key, usual) for key, usual in SHARES[name].items()}
    days = {key: _above_zero(section, key, usual) for key, usual in DAYS[name].items()}
    kind = Kind(
        name,
        section.text("action"),
        _above_zero(section, "daily_budget", 0),
        section.whole("cool_down_days", 28),
        _above_zero(section, "valid_days", 3),
        {**shares, **days},
    )
    section.nothing_else((*OF_EVERY_KIND, *shares, *days))
    return kind if enabled else None


def _above_zero(section: Section, key: str, usual: int) -> int:
    found = section.whole(key, usual)
    if not found:
        raise section.wrong(key, "a whole number from 1", found)
    return found
