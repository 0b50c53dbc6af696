"""Who may see a campaign: who may be contacted at all, and of those the declared groups.

A group is an exported segment of the day, or `uplift:<trial>:top<n>`: the first n tenths of users by the uplift of a
trial, as the night before published them.
"""

import re

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.expressions import In

from pipeline.decisions.campaigns.campaign import Campaign
from pipeline.decisions.people import Audience, audience_of_lists
from pipeline.runtime.errors import CampaignError
from pipeline.runtime.settings import Settings
from pipeline.storage.reading import published, scan

BY_UPLIFT = re.compile(r"uplift:((?:experiment|campaign):[a-z][a-z0-9_]*):top([1-9])")


def audience_of(campaign: Campaign, settings: Settings, ds: str) -> Audience:
    """The people of a campaign on a day.

    Raises CampaignError for a list that is missing or holds what is no pseudonym, for a segment that is not exported,
    and for a trial whose users are not scored.
    """
    audience = audience_of_lists(campaign.people, settings, ds)
    if not campaign.audience:
        return audience
    ranked = [found for name in campaign.audience if (found := BY_UPLIFT.fullmatch(name))]
    groups = [_best(campaign, settings, ds, found[1], int(found[2])) for found in ranked]
    if segments := segments_of(campaign):
        groups.append(_members(campaign, segments, settings, ds))
    return audience.within(pc.unique(pa.concat_arrays(groups)))


def segments_of(campaign: Campaign) -> list[str]:
    """The segments of the campaign's audience."""
    return [name for name in campaign.audience if not BY_UPLIFT.fullmatch(name)]


def _members(campaign: Campaign, names: list[str], settings: Settings, ds: str) -> pa.Array:
    """Only these segments are read: the members of all are many times the users."""
    every = scan("segment_members", ds, settings)
    wanted = In("segment", set(names))  # type: ignore[call-arg, misc]
    members = every.filter(wanted).select("segment", "user_id").to_arrow()
    found = pc.unique(members["segment"]).to_pylist()
    for name in names:
        if name not in found:
            known = pc.unique(every.select("segment").to_arrow()["segment"]).to_pylist()
            raise CampaignError(
                f"{campaign.file}: audience: expected exported segments of {ds} "
                f"({', '.join(sorted(known)) or 'there are none'}), found {name!r}"
            )
    return members["user_id"].combine_chunks().cast(pa.string())


def _best(campaign: Campaign, settings: Settings, ds: str, trial: str, tenths: int) -> pa.Array:
    night = max((day for day in published("user_uplift", settings) if day < ds), default=None)
    users = scan("user_uplift", night, settings).to_arrow() if night else None
    mine = users.filter(pc.field("trial") == trial) if users else None
    if not mine:
        raise CampaignError(
            f"{campaign.file}: audience: expected a trial whose users were scored before {ds}, "
            f"found {trial!r}, of which {f'{night} has' if night else 'there is'} no user_uplift; "
            "uplift_judgements says why"
        )
    return mine.filter(pc.field("decile") <= tenths)["user_id"].combine_chunks().cast(pa.string())
