"""Who may see a campaign: who may be contacted at all, and of those the declared segments."""

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.campaigns.campaign import Campaign
from pipeline.campaigns.consent import Audience, audience_of_lists
from pipeline.errors import CampaignError
from pipeline.reading import scan
from pipeline.settings import Settings


def audience_of(campaign: Campaign, settings: Settings, ds: str) -> Audience:
    """The people of a campaign on a day.

    Raises CampaignError for a list that is missing or holds what is no pseudonym, and for a
    segment that is not exported.
    """
    audience = audience_of_lists(campaign.people, settings)
    return audience.within(_members(campaign, settings, ds)) if campaign.audience else audience


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
