"""The policy in place: what `ad_policy` and `policy_judgements` of the newest day before say."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.campaigns.campaign import Campaign
from pipeline.campaigns.learned import AsPublished
from pipeline.errors import CampaignError
from pipeline.reading import published, scan
from pipeline.settings import Settings

DIGITS = 32  # of a pseudonym


@dataclass(frozen=True)
class InPlace:
    """`label` names the policy; None where the campaign was never published."""

    ds: str | None
    label: str | None


def in_place(campaign: Campaign, settings: Settings, ds: str) -> InPlace:
    """Today's policy of a campaign, as of the newest day before `ds`."""
    days = [day for day in published("policy_judgements", settings) if day < ds]
    for day in reversed(days):
        rows = scan("policy_judgements", day, settings).to_arrow()
        mine = rows.filter(pc.equal(rows["campaign"], campaign.name))
        if mine.num_rows:
            return InPlace(day, mine["policy"][0].as_py())
    return InPlace(None, None)


def probabilities_in_place(campaign: Campaign, settings: Settings, at: InPlace) -> AsPublished:
    """The probabilities that are published, for the arms that are active now.

    Raises CampaignError when an arm that was published has vanished from the file.
    """
    arms = [arm.name for arm in campaign.active]
    nobody = AsPublished(
        np.empty(0, f"S{DIGITS}"), np.empty((0, len(arms)), np.float32), campaign.exploration_floor
    )
    if at.ds is None or at.ds not in published("ad_policy", settings):
        return nobody
    names = f"ds = '{at.ds}' and campaign = '{campaign.name}'"
    columns = ("user_id", "arms")
    found = scan("ad_policy", at.ds, settings).filter(names).select(*columns)
    users, tables = [], []
    for batch in found.to_arrow_batch_reader():
        if batch.num_rows:
            users.append(np.array(batch["user_id"].to_pylist(), f"S{DIGITS}"))
            tables.append(_table(campaign, batch["arms"], at.ds))
    if not users:
        return nobody
    everybody = np.concatenate(users)
    order = np.argsort(everybody)
    return AsPublished(everybody[order], np.concatenate(tables)[order], campaign.exploration_floor)


def _table(campaign: Campaign, arms: pa.Array, ds: str) -> np.ndarray:
    """Rows x active arms, summing to 1; an arm that is new has 0."""
    entries = arms.flatten()
    width = len(entries) // len(arms)
    names = entries.field("arm")[:width].to_pylist()
    table = entries.field("probability").to_numpy(zero_copy_only=False).reshape(-1, width)
    known = {arm.name for arm in campaign.arms}
    for name in names:
        if name not in known:
            raise CampaignError(
                f"{campaign.file}: arms.{name}: expected every arm of {ds}, found that it has "
                "vanished; keep it with `retired = true`"
            )
    kept = np.zeros((len(table), len(campaign.active)), np.float32)
    for number, arm in enumerate(campaign.active):
        if arm.name in names:
            kept[:, number] = table[:, names.index(arm.name)]
    total = kept.sum(axis=1, keepdims=True)
    return np.where(total > 0, kept / np.where(total > 0, total, 1), 1 / kept.shape[1])
