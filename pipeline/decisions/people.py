"""Who may be contacted: consent and exclusion lists first, and nothing after them can add one.

Lists are files below `$TIDEMARK_HOME/campaigns/`, one pseudonym (`user_id`) per line. The list `never.csv`, where there
is one, holds for every campaign and for interventions. An account on a list stands for the person it has come to belong
to as well: who refused before the identity map joined their accounts has still refused.
"""

from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from pydantic.dataclasses import dataclass as table

from pipeline.runtime.errors import CampaignError
from pipeline.runtime.settings import Settings
from pipeline.runtime.toml_file import TABLE, Text, Texts
from pipeline.storage.persons import persons_as_of
from pipeline.tables.columns import USER

EVERYONE = "everyone"
NEVER = "never.csv"
HEADER = "user_id"


@dataclass(frozen=True)
class People:
    """As a file declares them: `consent` is a list of user ids, or EVERYONE."""

    file: Path
    consent: str
    exclude: tuple[str, ...] = ()


@table(frozen=True, config=TABLE)
class PeopleTable:
    """The table [people] of a file."""

    consent: Text
    exclude: Texts = ()


@dataclass(frozen=True)
class Audience:
    """`allowed` is None where everybody is."""

    allowed: pa.Array | None
    refused: pa.Array

    def admits(self, users: pa.Array) -> pa.Array:
        """Which users may be contacted: refusal wins over consent and audience."""
        allowed = pc.invert(pc.is_in(users, value_set=self.refused))
        if self.allowed is not None:
            allowed = pc.and_(allowed, pc.is_in(users, value_set=self.allowed))
        return allowed

    def within(self, members: pa.Array) -> "Audience":
        """Those of the audience who are among the members."""
        if self.allowed is not None:
            members = members.filter(pc.is_in(members, value_set=self.allowed))
        return Audience(members, self.refused)


def folder_of(settings: Settings) -> Path:
    """Where campaign files are, and the lists of users that files name."""
    return settings.home / "campaigns"


def audience_of_lists(people: People, settings: Settings, ds: str) -> Audience:
    """The people of the lists, with persons as known at `ds`.

    Raises CampaignError for a list that is missing or holds what is no pseudonym.
    """
    persons = persons_as_of(settings, ds)

    def listed(key: str, name: str) -> pa.Array:
        users = _listed(people, settings, key, name)
        joined = persons.of(pl.DataFrame({"account_id": users}, {"account_id": pl.String}))
        return pc.unique(pa.concat_arrays([users, joined["user_id"].to_arrow().cast(pa.string())]))

    allowed = None
    if people.consent != EVERYONE:
        allowed = listed("people.consent", people.consent)
    refused = [listed("people.exclude", name) for name in people.exclude]
    if (folder_of(settings) / NEVER).exists():
        refused.append(listed("people", NEVER))
    none = pa.array([], pa.string())
    return Audience(allowed, pa.concat_arrays([none, *refused]))


def _listed(people: People, settings: Settings, key: str, name: str) -> pa.Array:
    path = folder_of(settings) / name
    try:
        lines = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise CampaignError(
            f"{people.file}: {key}: expected a list of user ids, {path} cannot be read: {error}"
        ) from None
    users = pa.array(lines[1:] if lines[:1] == [HEADER] else lines, pa.string())
    sound = pc.match_substring_regex(users, USER)
    if not pc.all(sound, min_count=0).as_py():
        row = pc.index(sound, False).as_py()
        raise CampaignError(
            f"{path}: entry {row + 1}: expected a pseudonym of 32 hexadecimal digits; "
            "raw ids do not belong here: pseudonymise the list"
        )
    return users
