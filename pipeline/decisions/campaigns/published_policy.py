"""The policy in place: what `ad_policy` and `policy_judgements` of the newest day before say."""

from collections.abc import Iterator
from dataclasses import dataclass
from tempfile import TemporaryFile

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.decisions.campaigns.campaign import Campaign
from pipeline.decisions.campaigns.learned import AsPublished
from pipeline.features.known_rows import BOUNDED
from pipeline.runtime.errors import CampaignError
from pipeline.runtime.settings import Settings
from pipeline.storage.declared import arrow_dataset_of
from pipeline.storage.reading import pinned_files, published, scan
from pipeline.tables.policies import AD_POLICY

DIGITS = 32  # of a pseudonym
SIZE = {"batch_size": 50_000}


@dataclass(frozen=True)
class InPlace:
    """`label` names the policy; None where the campaign was never published."""

    ds: str | None
    label: str | None


def in_place(campaign: Campaign, settings: Settings, ds: str) -> InPlace:
    """Today's policy of a campaign, as of the newest day before `ds`."""
    decided = published("ad_policy", settings)  # judgements stay longer than what was decided
    days = [day for day in published("policy_judgements", settings) if day < ds and day in decided]
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
    """The probabilities that are published, for the arms that are active now.

    There are users times arms of them, so they are in an unnamed file, not in memory.
    """
    arms, folder = len(campaign.active), settings.home / "tmp"
    users, total = [np.empty(0, f"S{DIGITS}")], np.zeros(arms)
    folder.mkdir(exist_ok=True)
    with TemporaryFile(dir=folder) as file:
        for batch in _batches(campaign, settings, at):
            table = _table(campaign, batch["arms"]).astype(np.float32)
            file.write(table.tobytes())
            users.append(np.array(batch["user_id"].to_pylist(), f"S{DIGITS}"))
            total += table.sum(axis=0, dtype=float)
        everybody, mean = np.concatenate(users), np.full(arms, 1 / arms)
        held = np.empty((0, arms), np.float32)
        if len(everybody):
            file.flush()
            mean = total / len(everybody)
            held = np.memmap(file, np.float32, "r", shape=(len(everybody), arms))
    places = np.argsort(everybody)
    return AsPublished(everybody[places], places, held, mean, campaign.exploration_floor)


def shares_of_occasions(campaign: Campaign, settings: Settings, days: list[str]) -> dict[str, float]:
    """The `show_probability` that held on each day: that of the night before it; 1 without one."""
    nights = list(published("ad_policy", settings))
    held = {day: max((night for night in nights if night < day), default="") for day in days}
    mine = f"campaign = '{campaign.name}'"
    told = {}
    for night in set(held.values()) - {""}:
        rows = scan("ad_policy", night, settings).filter(mine).select("show_probability")
        told[night] = rows.update(limit=1).to_arrow()["show_probability"].to_pylist()
    return {day: next(iter(told.get(night, [])), 1.0) or 1.0 for day, night in held.items()}


def _batches(campaign: Campaign, settings: Settings, at: InPlace) -> Iterator[pa.RecordBatch]:
    """User and arms of the campaign's rows; nothing where none are published."""
    if at.ds is None:
        return
    for path in pinned_files("ad_policy", at.ds, at.ds, settings)[1]:
        rows = arrow_dataset_of(AD_POLICY, [path])
        mine = pc.field("campaign") == campaign.name
        for batch in rows.to_batches(["campaign", "user_id", "arms"], filter=mine, **(BOUNDED | SIZE)):
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
