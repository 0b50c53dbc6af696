"""The policy in place: what `ad_policy` and `policy_judgements` of the newest day before say."""

from collections.abc import Iterator
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


def check_arms(campaign: Campaign, settings: Settings, at: InPlace) -> None:
    """Raises CampaignError when an arm that is published has vanished from the file."""
    known = {arm.name for arm in campaign.arms}
    for batch in _batches(campaign, settings, at):
        for name in _names(batch["arms"]):
            if name not in known:
                raise CampaignError(
                    f"{campaign.file}: arms.{name}: expected every arm of {at.ds}, found that it "
                    "has vanished; keep it with `retired = true`"
                )
        return


def probabilities_in_place(campaign: Campaign, settings: Settings, at: InPlace) -> AsPublished:
    """The probabilities that are published, for the arms that are active now."""
    arms = len(campaign.active)
    users, tables = [np.empty(0, f"S{DIGITS}")], [np.empty((0, arms), np.float32)]
    for batch in _batches(campaign, settings, at):
        users.append(np.array(batch["user_id"].to_pylist(), f"S{DIGITS}"))
        tables.append(_table(campaign, batch["arms"]))
    everybody = np.concatenate(users)
    order = np.argsort(everybody)
    table = np.concatenate(tables)[order]
    return AsPublished(everybody[order], table, campaign.exploration_floor)


def _batches(campaign: Campaign, settings: Settings, at: InPlace) -> Iterator[pa.RecordBatch]:
    """User and arms of the campaign's rows; nothing where none are published."""
    if at.ds is None or at.ds not in published("ad_policy", settings):
        return
    mine = f"ds = '{at.ds}' and campaign = '{campaign.name}'"
    found = scan("ad_policy", at.ds, settings).filter(mine).select("user_id", "arms")
    for batch in found.to_arrow_batch_reader():
        if batch.num_rows:
            yield batch


def _names(arms: pa.Array) -> list[str]:
    """The arms, which are the same in every row of a campaign."""
    entries = arms.flatten()
    return entries.field("arm")[: len(entries) // len(arms)].to_pylist()


def _table(campaign: Campaign, arms: pa.Array) -> np.ndarray:
    """Rows x active arms, summing to 1; an arm that is new has 0."""
    names = _names(arms)
    told = arms.flatten().field("probability").to_numpy(zero_copy_only=False)
    table = told.reshape(-1, len(names))
    kept = np.zeros((len(table), len(campaign.active)), np.float32)
    for number, arm in enumerate(campaign.active):
        if arm.name in names:
            kept[:, number] = table[:, names.index(arm.name)]
    total = kept.sum(axis=1, keepdims=True)
    return np.where(total > 0, kept / np.where(total > 0, total, 1), 1 / kept.shape[1])
