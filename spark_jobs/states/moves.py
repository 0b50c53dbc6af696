"""Accounts that join, leave or change persons between two days, and what that means for histories.

Where all accounts of a user come to the same person, the user's history goes there whole, so that joining accounts
costs a night nothing. A history cannot be taken apart: where the accounts of a user part, everybody who gets one of
them is made from events again.
"""

from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True)
class Moves:
    """`renamed`: users (`user_id`) whose history is now that of `person`. `dropped`: users whose history counts no
    more. `rebuilt`: users made from the events of `accounts`.
    """

    renamed: pl.DataFrame
    dropped: pl.DataFrame
    rebuilt: pl.DataFrame
    accounts: pl.DataFrame

    @property
    def none(self) -> bool:
        return self.renamed.is_empty() and self.dropped.is_empty() and self.rebuilt.is_empty()


def moves(before: pl.DataFrame, now: pl.DataFrame) -> Moves:
    """From the map of one day to that of another: `account_id` and `user_id` of the accounts that are a person's."""
    accounts = pl.concat([before.select("account_id"), now.select("account_id")]).unique()
    alone = pl.col("account_id")
    were = accounts.join(before, on="account_id", how="left").with_columns(was=pl.coalesce("user_id", alone))
    are = were.drop("user_id").join(now, on="account_id", how="left")
    known = are.select("account_id", "was", now=pl.coalesce("user_id", alone))
    # A user that parts hands accounts to several; whoever gets one is made anew, with all that is theirs.
    parts = pl.col("now").n_unique().over("was") > 1
    rebuilt = known.filter(parts).select(user_id="now").unique()
    anew = known.join(rebuilt, left_on="now", right_on="user_id", how="semi")
    dropped = anew.select(user_id="was").unique()
    whole = known.join(dropped, left_on="was", right_on="user_id", how="anti")
    renamed = whole.filter(pl.col("was") != pl.col("now")).select(user_id="was", person="now").unique()
    return Moves(renamed, dropped, rebuilt, anew.select("account_id"))
