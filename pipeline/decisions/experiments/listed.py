"""Users who enter an experiment by being listed in `interventions`, contacted or held out.

They are the same users whether they come back or not: entry by an event would leave out those who stay away.
"""

import polars as pl
import pyarrow.compute as pc

from pipeline.decisions.experiments.assignment import assign
from pipeline.decisions.experiments.experiment import LISTED, Experiment
from pipeline.runtime.days import shift
from pipeline.runtime.errors import ExperimentError
from pipeline.runtime.settings import Settings
from pipeline.storage.reading import published, scan


def listed_users(experiment: Experiment, settings: Settings, ds: str) -> pl.DataFrame:
    """`user_id`, `entry`: the day after the first night that listed them, as known at `ds`.

    Raises ExperimentError when no such night is published, or the control is not who was held out.
    """
    first, last = shift(experiment.first_day, -1), min(shift(experiment.last_day, -1), ds)
    if not any(first <= night <= last for night in published("interventions", settings)):
        raise ExperimentError(f"{experiment.file}: no interventions of the nights {first}..{last} are published")
    rows = scan("interventions", None, settings).filter(f"ds >= '{first}' and ds <= '{last}'")
    found = rows.select("ds", "user_id", "kind", "held_out").to_arrow()
    if experiment.entry != LISTED:
        found = found.filter(pc.equal(found["kind"], experiment.entry))
    frame = pl.DataFrame(found).sort("ds")
    users = frame.group_by("user_id", maintain_order=True).agg(pl.first("ds", "held_out"))
    shares = tuple(share for _, share in experiment.arms)
    control = assign(users["user_id"].to_list(), experiment.salt, shares) == 0
    other = int((pl.Series(control, dtype=pl.Boolean) != users["held_out"]).sum())
    if other:
        raise ExperimentError(
            f"{experiment.file}: arms, salt: expected the control to be who was held out (salt "
            f'"interventions", the control\'s share as `holdout` in interventions.toml), found '
            f"{other} of {len(users)} users for whom it is not so"
        )
    return users.select("user_id", entry=pl.col("ds").str.to_date() + pl.duration(days=1))
