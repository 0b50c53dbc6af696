"""How good interventions are, against what followed.

    TIDEMARK_HOME=HOME python -m tests.bench interventions

Of a home of the sample (with `landing/_truth`) or of Online Retail, with a champion and its
`training_examples`. `fading_regular`: lists of night after night with budget and cool-down, against
who is gone or goes within 14 days (planted), or who does nothing in 28 days. `return_risk`: at the
cut-offs of the examples, against returns within 28 days, with the chances of the champion, which
learned from the train fold. Next to each, the same number of users by simpler scores and at random. Thresholds
are to be chosen on the earlier nights, and reported of the later ones. `price_drop`: whether the
list of each night is that of a second count from the platforms' own catalogue files.
"""

import argparse
import gzip
from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from typing import Any

import duckdb
import numpy as np
import polars as pl

from pipeline.decisions.interventions.candidates import QUERIES
from pipeline.runtime.days import day_range, shift
from pipeline.runtime.settings import Settings, load_settings
from pipeline.storage.persons import persons_as_of
from pipeline.storage.reading import pinned_files, published, scan
from pipeline.tables.registry import TRAINING_EXAMPLES
from tests.bench.bench_signals import active, on_day
from tests.bench.planted_signals import true_users
from training.data.catalogue import NO_PINS, load_catalogue, open_table
from training.data.users import HEADS, load_examples
from training.model.model import load
from training.model.predictor import Predictor
from training.registry import versions

COOL_DOWN, SILENT, SOON, HORIZON = 28, 84, 14, 28  # days
FADING, CHANCES = (0.8, 0.9, 0.95), (0.1, 0.2, 0.3)
BUDGET, JUST = 10, 3  # a night; days since the purchase
RANKS: dict[str, pl.Expr] = {
    "days silent": pl.col("recency"),
    "days silent / usual gap": pl.col("recency") / pl.col("gap"),
}
HABITS = """
SELECT user_id, count(*) FILTER (event_type = 'return') AS returns,
    count(*) FILTER (event_type = 'purchase') AS purchases FROM events GROUP BY user_id
"""
FILES: dict[str, tuple[Callable[[bytes], pl.DataFrame], str, str]] = {
    "webshop": (pl.read_ndjson, "sku", "list_price"),
    "marketplace": (partial(pl.read_csv, infer_schema=False), "listing", "price"),
}
OF_PERSONS = """
SELECT acts.* EXCLUDE (account_id), coalesce(persons.user_id, acts.account_id) AS user_id
FROM read_parquet({files}) AS acts LEFT JOIN persons USING (account_id)
"""
BACK = """
SELECT DISTINCT user_id, item_id, true AS this_item FROM later WHERE event_type = 'return'
"""


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    settings = load_settings()
    fading(settings)
    returns(settings)
    if (settings.landing / "_truth").is_dir():
        drops(settings)


def fading(settings: Settings) -> None:
    days = list(published("events", settings))
    acts = scan("events", None, settings).select("account_id", "arrival_ds").to_polars()
    seen = active(persons_as_of(settings, days[-1]).of(acts))
    left = true_users(settings) if (settings.landing / "_truth").is_dir() else None
    # what followed the earlier nights is over before the later ones begin
    ends = (SOON, 38, 39, 62) if left is not None else (HORIZON, 91, 119, 182)
    last, middle, before, first = (shift(days[-1], -ago) for ago in ends)
    for name, nights in (
        ("earlier", day_range(first, before)),
        ("later", day_range(middle, last)),
    ):
        states = [state(seen, ds, left) for ds in nights]
        usual = pl.concat(states)["right"].mean()
        print(f"fading_regular, {name} nights {nights[0]}..{nights[-1]}, {usual:.3f} of regulars")
        for least in FADING:
            chosen = listed(states, [BUDGET] * len(states), pl.col("fading"), least)
            sizes = [len(rows) for rows in chosen]
            others = {by: said(listed(states, sizes, score)) for by, score in RANKS.items()}
            drawn = [pl.concat(listed(states, sizes, draw(seed))) for seed in range(20)]
            others["at random"] = f"{np.mean([rows['right'].mean() for rows in drawn]):.3f}"
            rivals = ", ".join(f"{by} {figure}" for by, figure in others.items())
            print(f"  fading >= {least}: {said(chosen)}; the same number by {rivals}")


def state(seen: pl.DataFrame, ds: str, left: pl.DataFrame | None) -> pl.DataFrame:
    """The regulars of a night who came within 56 days, and whether a warning would be right."""
    rows = on_day(seen, ds).filter("is_regular", pl.col("recency") <= SILENT)
    today = date.fromisoformat(ds)
    if left is not None:
        gone = pl.col("left") <= today + timedelta(SOON)
        return rows.join(left, on="user_id").with_columns(right=gone.fill_null(value=False))
    after = pl.col("day").is_between(today + timedelta(1), today + timedelta(HORIZON))
    back = seen.filter(after)["user_id"].unique()
    return rows.with_columns(right=~pl.col("user_id").is_in(back.implode()))


def listed(
    states: list[pl.DataFrame], sizes: list[int], score: pl.Expr, least_fading: float = 0.0
) -> list[pl.DataFrame]:
    """Night after night the best by `score` who were not listed in the last 28 nights."""
    rows: list[pl.DataFrame] = []
    for everybody, size in zip(states, sizes, strict=True):
        cooling = pl.concat([everybody.clear(), *rows[1 - COOL_DOWN :]])["user_id"]
        free = pl.col("fading") >= least_fading, ~pl.col("user_id").is_in(cooling.implode())
        rows.append(everybody.filter(*free).sort(-score, "user_id").head(size))
    return rows


def draw(seed: int) -> pl.Expr:
    return pl.col("user_id").hash(seed).cast(pl.Float64)


def said(rows: list[pl.DataFrame], column: str = "right") -> str:
    right = pl.concat(rows)[column]
    return f"{int(right.sum())} of {len(right)} = {right.mean() or 0:.3f}"


def returns(settings: Settings) -> None:
    for cutoff, fold, chances in chances_then(settings):
        with duckdb.connect() as database:
            _, files = pinned_files("events", "0", shift(cutoff, HORIZON), settings)
            persons_as_of(settings, cutoff).view(database)
            database.execute(f"CREATE VIEW log AS {OF_PERSONS.format(files=files)}")
            database.execute(f"CREATE VIEW events AS SELECT * FROM log WHERE ds <= '{cutoff}'")
            database.execute(f"CREATE VIEW later AS SELECT * FROM log WHERE ds > '{cutoff}'")
            database.register("features", chances.to_arrow())
            limits = {"after": shift(cutoff, -JUST), "least_chance": 0.0}
            found = frame(database, QUERIES["return_risk"], limits)
            found = found.join(frame(database, HABITS), on="user_id").join(
                frame(database, BACK), on=["user_id", "item_id"], how="left"
            )
        found = found.join(chances.select("user_id", "right"), on="user_id").with_columns(
            pl.col("this_item").fill_null(value=False)
        )
        print(
            f"return_risk, {fold} cut-off {cutoff}: who bought within {JUST} days "
            f"{said([found])}, this item {said([found], 'this_item')}"
        )
        for least in CHANCES:
            chosen = found.filter(pl.col("score") >= least)
            print(f"  chance >= {least}: {said([chosen])}, {said([chosen], 'this_item')}")
        for by in ("score", "returns", "purchases"):
            best = found.sort(-pl.col(by), "user_id").head(25)
            print(f"  the first 25 by {by}: {said([best])}, {said([best], 'this_item')}")


def chances_then(settings: Settings) -> list[tuple[str, str, pl.DataFrame]]:
    """Per cut-off of the valid and the test fold, users with p_return_28d and what came."""
    ds, version = min(published("training_examples", settings)), versions.version(settings)
    assert version, "a champion is needed"
    model = load(versions.load(settings, version))
    catalogue, _ = load_catalogue(settings, ds)
    _, rows = open_table(settings, TRAINING_EXAMPLES, ds, NO_PINS)
    known = pl.DataFrame(rows.to_table(columns=["user_id", "cutoff_ds", "fold", "return_28d"]))
    found = []
    for fold in ("valid", "test"):
        chances = Predictor.of(model, catalogue).chances(load_examples(rows, catalogue, (fold,)))
        users = (
            known.filter(pl.col("fold") == fold)
            .sort("user_id", "cutoff_ds")
            .with_columns(
                p_return_28d=pl.Series(chances[:, HEADS.index("return_28d")]),
                anomaly_reason=pl.lit(None, pl.String),
                right="return_28d",
            )
        )
        found += [(cut, fold, part) for (cut,), part in users.group_by("cutoff_ds")]
    return found


def drops(settings: Settings) -> None:
    """The query of each night with two nights of `items`, and a count by hand."""
    nights = list(published("items", settings))
    _, events = pinned_files("events", "0", nights[-1], settings)
    _, items = pinned_files("items", "0", nights[-1], settings)
    for ds in nights[1:]:
        with duckdb.connect() as database:
            database.read_parquet(items).create_view("prices")
            persons_as_of(settings, ds).view(database)
            database.execute(f"CREATE VIEW events AS {OF_PERSONS.format(files=events)} WHERE ds <= '{ds}'")
            users = "SELECT DISTINCT user_id, NULL AS anomaly_reason FROM events"
            database.execute(f"CREATE VIEW features AS {users}")
            limits = {"ds": ds, "after": shift(ds, -28), "least_drop": 0.1}
            found = frame(database, QUERIES["price_drop"], limits)
            acts = frame(database, "SELECT * FROM events WHERE ds > $after", limits)
        expected = by_hand(settings, acts, nights, ds)
        right = set(found.select("user_id").to_series()) == expected
        print(f"price_drop {ds}: {len(found)} users, by hand {len(expected)}, the same: {right}")


def by_hand(settings: Settings, acts: pl.DataFrame, nights: list[str], ds: str) -> set[str]:
    """Users who looked at what the catalogue files say is a tenth cheaper, and did not buy it."""
    prices = {day: catalogue_of(settings, day) for day in nights if day <= ds}
    users = set()
    order = acts.drop_nulls("item_id").sort("event_time", "event_id")
    for (user, item), mine in order.group_by("user_id", "item_id", maintain_order=True):
        now = prices[ds].get(item)
        before = [known[item] for day, known in prices.items() if day < ds and item in known]
        looks = mine.filter(pl.col("event_type").is_in(["view", "cart", "favorite"]))
        if now is None or not before or not len(looks) or now > 0.9 * min(before):
            continue
        last = looks.row(-1, named=True)
        bought = mine.filter(pl.col("event_type") == "purchase")["event_time"].max()
        pieces = last["quantity"] or 1
        seen = last["price"] if pieces <= 1 else prices.get(last["ds"], {}).get(item)
        if seen and now <= 0.9 * seen and not (bought and bought >= last["event_time"]):
            users.add(user)
    return users


def catalogue_of(settings: Settings, last: str) -> dict[str, float]:
    """Item -> price as the platforms' files gave it up to a day."""
    prices: dict[str, float] = {}
    for path in sorted(settings.landing.glob("*/items/*.gz"), key=lambda it: it.name):
        if path.name[:10] <= last:
            read, item, price = FILES[path.parts[-3]]
            rows = read(gzip.decompress(path.read_bytes()))
            names = [f"{path.parts[-3]}:{name}" for name in rows[item].to_list()]
            prices |= dict(zip(names, rows[price].cast(pl.Float64).to_list(), strict=True))
    return prices


def frame(database: duckdb.DuckDBPyConnection, query: str, known: dict[str, Any] | None = None) -> pl.DataFrame:
    asked = {name: value for name, value in (known or {}).items() if f"${name}" in query}
    return pl.DataFrame(database.sql(query, params=asked or None).to_arrow_table())


if __name__ == "__main__":
    main()
