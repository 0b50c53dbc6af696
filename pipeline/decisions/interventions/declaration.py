"""`$TIDEMARK_HOME/interventions.toml`: what people declare about interventions.

`docs/reference/interventions.md` explains every key. Without the file nobody has consented, and nobody is listed; a
misspelt key is refused with file and key, and yesterday's list stays in place.
"""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, create_model

from pipeline.decisions.people import People, PeopleTable
from pipeline.runtime.errors import CampaignError
from pipeline.runtime.settings import Settings
from pipeline.runtime.toml_file import TABLE, AboveZero, Flag, Share, Text, Whole, checked, parsed, wrong

FILE = "interventions.toml"
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
    """`kinds` are those that are on, in the order of the file: a user who may be contacted once is named by the first
    one. Caps of 0 are none."""

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


class _Caps(BaseModel):
    model_config = TABLE

    # Without the key there is no cap; whoever writes 0 wants nobody contacted, and gets no unlimited list.
    per_day: AboveZero = 0
    per_week: AboveZero = 0
    interventions_per_day: AboveZero = 1


class _KindTable(BaseModel):
    model_config = TABLE

    enabled: Flag = True
    action: Text
    daily_budget: AboveZero
    cool_down_days: Whole = 28
    valid_days: AboveZero = 3


def _table_of(name: str) -> Any:
    """A kind's table, with its thresholds."""
    limits: dict[str, Any] = {key: (Share, usual) for key, usual in SHARES[name].items()}
    limits |= {key: (AboveZero, usual) for key, usual in DAYS[name].items()}
    return create_model(name, __base__=_KindTable, **limits)


_kind_tables: dict[str, Any] = {name: (_table_of(name) | None, None) for name in SHARES}
_File = create_model(
    "_File", __config__=TABLE, holdout=(Share, 0.0), people=(PeopleTable, ...), caps=(_Caps, _Caps()), **_kind_tables
)


def load_declaration(settings: Settings) -> Declaration | None:
    """None without a file. Raises CampaignError naming the file and the key that is wrong."""
    file = settings.home / FILE
    if not file.exists():
        return None
    content = parsed(file, CampaignError)
    known = _File.model_fields
    for name in content:
        if name not in known:
            raise wrong(file, name, f"one of {', '.join(known)}", name, CampaignError)
    found: Any = checked(file, content, _File, CampaignError)
    kinds = [_kind(name, getattr(found, name)) for name in content if name in SHARES and getattr(found, name).enabled]
    people = People(file, found.people.consent, found.people.exclude)
    return Declaration(tuple(kinds), people, found.holdout, **found.caps.model_dump())


def _kind(name: str, table: _KindTable) -> Kind:
    limits = {key: getattr(table, key) for key in (*SHARES[name], *DAYS[name])}
    return Kind(name, table.action, table.daily_budget, table.cool_down_days, table.valid_days, limits)
