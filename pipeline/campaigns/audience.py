"""Who may see a campaign: consent and exclusion lists first, and nothing after them can add one.

Lists are files below `$TIDEMARK_HOME/campaigns/`, one pseudonym (`user_id`) per line. The
list `never.csv`, where there is one, holds for every campaign.
"""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.campaigns.campaign import EVERYONE, Campaign, folder_of
from pipeline.errors import CampaignError
from pipeline.reading import scan
from pipeline.settings import Settings
from pipeline.table_columns import USER

NEVER = "never.csv"
HEADER = "user_id"


@dataclass(frozen=True)
class Audience:
    """`allowed` is None where everybody is."""

    allowed: pa.Array | None
    refused: pa.Array

    def admits(self, users: pa.Array) -> pa.Array:
        """Which users may be shown the campaign: refusal wins over consent and audience."""
        allowed = pc.invert(pc.is_in(users, value_set=self.refused))
        if self.allowed is not None:
            allowed = pc.and_(allowed, pc.is_in(users, value_set=self.allowed))
        return allowed


def audience_of(campaign: Campaign, settings: Settings, ds: str) -> Audience:
    """The people of a campaign on a day.

    Raises CampaignError for a list that is missing or holds what is no pseudonym.
    """
    allowed = None
    if campaign.consent != EVERYONE:
        allowed = _listed(campaign, settings, "people.consent", campaign.consent)
    if campaign.audience:
        members = _members(campaign, settings, ds)
        allowed = members if allowed is None else _both(allowed, members)
    refused = [_listed(campaign, settings, "people.exclude", name) for name in campaign.exclude]
    if (folder_of(settings) / NEVER).exists():
        refused.append(_listed(campaign, settings, "people", NEVER))
    none = pa.array([], pa.string())
    return Audience(allowed, pa.concat_arrays([none, *refused]))


def _listed(campaign: Campaign, settings: Settings, key: str, name: str) -> pa.Array:
    path = folder_of(settings) / name
    try:
        lines = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise CampaignError(
            f"{campaign.file}: {key}: expected a list of user ids, {path} cannot be read: {error}"
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


def _members(campaign: Campaign, settings: Settings, ds: str) -> pa.Array:
    members = scan("segment_members", ds, settings).to_arrow()
    known = pc.unique(members["segment"]).to_pylist()
    for name in campaign.audience:
        if name not in known:
            raise CampaignError(
                f"{campaign.file}: audience: expected exported segments of {ds} "
                f"({', '.join(sorted(known)) or 'there are none'}), found {name!r}"
            )
    wanted = pc.is_in(members["segment"], value_set=pa.array(campaign.audience))
    return pc.unique(members["user_id"].filter(wanted).combine_chunks())


def _both(one: pa.Array, other: pa.Array) -> pa.Array:
    return one.filter(pc.is_in(one, value_set=other))
