"""How good behaviour signals are: against the sample's truth, or on what Online Retail did next.

    TIDEMARK_HOME=HOME python -m tests.bench signals [--users 100000]

Reads published `events` (and of Online Retail `item_topics`, `items`) of a home. With
`landing/_truth` in it: who is warned before leaving, whether what is due is bought, whether planted
bots, resellers and takeovers score high. Without: whether `fading` predicts buyers who do not come
back beyond recency and frequency. `--users` adds CPU seconds of the kernel for made-up users.
"""

import argparse
import time
from datetime import datetime, timedelta

import numpy as np
import polars as pl
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from pipeline.runtime.days import shift
from pipeline.runtime.settings import Settings, load_settings
from pipeline.storage.persons import persons_as_of
from pipeline.storage.reading import published, read, scan
from pipeline.tables.registry import USER_HISTORY
from spark_jobs.behaviour.prices import usual_prices
from spark_jobs.behaviour.rhythm import WARNED, Rhythm, active_days, gaps, rhythm
from spark_jobs.behaviour.signals import learn_norms, profile
from spark_jobs.behaviour.unpacked import Unpacked
from spark_jobs.states.history import EVENT_FIELDS, histories
from tests.bench.planted_signals import plant, true_items, true_users

WATCHED = 45  # last days on which warnings are looked at
FADE = 14  # days: a warning that comes earlier is not of this leaving
HORIZONS = (28, 60)
DRAWS = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=0, help="made-up users to be timed")
    given = parser.parse_args()
    settings = load_settings()
    days = list(published("events", settings))
    columns = ["account_id", "platform", *EVENT_FIELDS, "query"]
    events = persons_as_of(settings, days[-1]).of(scan("events", None, settings).to_polars().select(columns))
    events = events.with_columns(text=pl.when(pl.col("event_type") == "search").then("query").otherwise("text")).drop(
        "query"
    )
    print(f"{len(events)} events, {events['user_id'].n_unique()} users, {days[0]}..{days[-1]}")
    if (settings.landing / "_truth").is_dir():
        items = true_items(settings, events)
        warnings(settings, events, days)
        due(events, items, [shift(days[-1], -ago) for ago in (42, 35, 28)])
        anomalies(events, items, days[-1])
    else:
        items = known_items(settings)
        coming_back(events, days)
        due(events, items, [shift(days[-1], -ago) for ago in (84, 56, 28)])
        anomalies(events, items, days[-1])
    if given.users:
        timing(events, items, days[-1], given.users)


def warnings(settings: Settings, events: pl.DataFrame, days: list[str]) -> None:
    """Of the regulars who leave, how many are warned and when; and how many warnings are wrong."""
    seen = active(events)
    looks = pl.concat([on_day(seen, shift(days[-1], -ago)) for ago in range(WATCHED)])
    looks = looks.filter("is_regular").join(true_users(settings), on="user_id")
    lead = (pl.col("left") - pl.col("day")).dt.total_days()
    looks = looks.with_columns(lead=lead, warned=pl.col("fading") >= WARNED)
    stay = looks.filter(pl.col("left").is_null())
    number, noise = stay["user_id"].n_unique(), stay["warned"].mean()
    print(f"{number} regulars stay, on warning {noise:.3f} of days")
    last = datetime.fromisoformat(days[-1]).date()
    inside = pl.col("left").is_between(last - timedelta(WATCHED - FADE), last - timedelta(FADE))
    leave = looks.filter(inside, pl.col("lead") <= FADE)
    first = leave.filter("warned").group_by("user_id").agg(pl.col("lead").max())["lead"]
    for after in (-1, 0, 3, 7, 14):
        warned, who = int((first >= -after).sum()), leave["user_id"].n_unique()
        print(f"  warned by day {after:+d} of leaving: {warned} of {who}")
    print(f"  median day of the first warning: {-first.median() if len(first) else None}")
    soon = (pl.col("lead") <= FADE).fill_null(value=False).mean()
    right, usual = (rows.select(soon).item() for rows in (looks.filter("warned"), looks))
    print(f"  gone or gone within {FADE} days: {right:.3f} of warned days, {usual:.3f} of all")


def coming_back(events: pl.DataFrame, days: list[str]) -> None:
    """Of regulars, AUC of no purchase within a horizon by recency (and frequency), and with
    `fading`: fitted on the earlier days, judged on the later ones."""
    seen = active(events.filter(pl.col("event_type") == "purchase"))
    for horizon in HORIZONS:
        last = shift(days[-1], -horizon)
        ends = [shift(last, -28 * n) for n in range(5, -1, -1)]
        states = [with_answer(seen, ds, horizon).filter("is_regular") for ds in ends]
        fit, judge = pl.concat(states[:3]), pl.concat(states[3:])
        warned = judge.filter(pl.col("fading") >= WARNED)["gone"]
        print(f"no purchase in {horizon} days: {judge['gone'].mean():.3f} of {len(judge)} regulars,")
        print(f"  {int(warned.sum())} of {len(warned)} warned ones")
        for names in (["recency"], ["recency", "visits"]):
            plain, full = (predicted(fit, judge, [*names, *more]) for more in ([], ["fading"]))
            print(f"  {', '.join(names)}: {gain(judge, plain, full)}")


def due(events: pl.DataFrame, items: pl.DataFrame, ends: list[str]) -> None:
    """Of what is said to be due within 7 days, how much is bought within 3 days of the day; next to
    the same things 14 days later, and the item that is bought most."""
    is_bought = pl.col("event_type") == "purchase"
    bought = events.filter(is_bought).select("user_id", "item_id", "arrival_ds").unique()
    bought = bought.with_columns(on=pl.col("arrival_ds").str.to_date())
    tally: dict[str, list[int]] = {}
    for ds in ends:
        found = due_soon(signals_of(events, items, ds), ds)
        most = bought.filter(pl.col("arrival_ds") <= ds)["item_id"].mode().min()
        after = bought.filter(pl.col("arrival_ds") > ds)
        by_topic = after.join(items.select("item_id", "topic_id"), on="item_id")
        topics = found.drop_nulls("topic_id").unique(["user_id", "topic_id"])
        later = found.with_columns(pl.col("due_ds") + timedelta(14))
        for name, rows, answers, key in (
            ("the item", found, after, "item_id"),
            ("the item 14 days later", later, after, "item_id"),
            ("its topic", topics, by_topic, "topic_id"),
            ("its topic 14 days later", topics.with_columns(pl.col("due_ds") + timedelta(14)), by_topic, "topic_id"),
            ("the most bought item", found.with_columns(item_id=pl.lit(most)), after, "item_id"),
        ):
            so_far = tally.setdefault(name, [0, 0])
            so_far[0] += hits(rows, answers.select("user_id", key, "on").unique(), key)
            so_far[1] += len(rows)
    for name, (number, of) in tally.items():
        print(f"due within 7 days, {name} bought: {number} of {of} = {number / max(of, 1):.3f}")


def due_soon(signals: pl.DataFrame, ds: str) -> pl.DataFrame:
    """What is due in the 7 days after `ds`, one row each."""
    rows = signals.select("user_id", "due_again").explode("due_again").drop_nulls("due_again")
    rows = rows.unnest("due_again").with_columns(pl.col("due_ds").str.to_date())
    away = (pl.col("due_ds") - pl.lit(ds).str.to_date()).dt.total_days()
    return rows.filter(away.is_between(1, 7))


def hits(rows: pl.DataFrame, answers: pl.DataFrame, key: str) -> int:
    found = rows.with_row_index("n").join(answers, on=["user_id", key])
    near = (pl.col("on") - pl.col("due_ds")).dt.total_days().abs() <= 3
    return found.filter(near)["n"].n_unique()


def anomalies(events: pl.DataFrame, items: pl.DataFrame, ds: str) -> None:
    """Accounts planted among all users, five times: AUC, how many are in the top 2%, or noted."""
    found: dict[str, list[list[float]]] = {}
    noted = []
    for seed in range(5):
        planted, kinds = plant(events, items, ds, seed)
        rows = signals_of(pl.concat([events, planted.select(events.columns)]), items, ds)
        kind = rows["user_id"].replace_strict(kinds, default="").to_numpy()
        score = rows["anomaly_score"].to_numpy()
        reason = rows["anomaly_reason"].is_not_null().to_numpy()
        top = score >= np.quantile(score, 0.98)
        noted.append(reason[kind == ""].mean())
        for name in sorted(set(kinds.values())):
            mine, asked = kind == name, (kind == name) | (kind == "")
            auc = float(roc_auc_score(mine[asked], score[asked]))
            found.setdefault(name, []).append([auc, top[mine].mean(), reason[mine].mean()])
    for name, values in found.items():
        auc, high, with_reason = np.mean(values, axis=0)
        print(f"{name}: AUC {auc:.3f}, in the top 2% {high:.2f}, with a reason {with_reason:.2f}")
    print(f"others with a reason: {np.mean(noted):.4f}")


def timing(events: pl.DataFrame, items: pl.DataFrame, ds: str, users: int) -> None:
    """CPU seconds of the kernel on copies of the home's histories, in chunks of 5,000 users."""
    states = history(events, ds)
    norms, lookup = learn_norms(states, items, ds), usual_prices(items)
    copies = pl.concat([states] * (1 + 5000 // len(states)))
    started, done = time.process_time(), 0
    while done < users:
        done += len(profile(copies[:5000], lookup, norms, ds))
    seconds, mean = time.process_time() - started, states["events"].list.len().mean()
    each = seconds / done * 1e6
    print(f"kernel: {done} users of {mean:.0f} events, {seconds:.1f} CPU s, {each:.0f} us each")


def signals_of(events: pl.DataFrame, items: pl.DataFrame, ds: str) -> pl.DataFrame:
    states = history(events, ds)
    norms = learn_norms(states, items, ds)
    return profile(states, usual_prices(items), norms, ds)


def history(events: pl.DataFrame, ds: str) -> pl.DataFrame:
    """`user_history` of `ds`, from all events."""
    empty = pl.DataFrame(USER_HISTORY.schema.empty_table())
    past = empty.select("user_id", pl.exclude("ds", "user_id").name.prefix("past_"))
    rows = pl.concat([past, events.filter(pl.col("arrival_ds") <= ds)], how="diagonal_relaxed")
    return histories(rows, [ds], 365, 1024).sort("user_id")


def active(events: pl.DataFrame) -> pl.DataFrame:
    return events.select("user_id", day=pl.col("arrival_ds").str.to_date()).unique()


def on_day(seen: pl.DataFrame, ds: str) -> pl.DataFrame:
    """user_id, day, is_regular, fading, recency and visits of all users as of `ds`."""
    today = datetime.fromisoformat(ds).date()
    known = seen.filter(pl.col("day") <= today)
    users = known["user_id"].unique().sort()
    days = known.select(
        row=users.search_sorted(known["user_id"]).cast(pl.UInt32),
        ago=(pl.lit(today) - pl.col("day")).dt.total_days().cast(pl.Int32),
    )
    chunk = Unpacked(len(users), days, pl.DataFrame(), pl.DataFrame())
    row, ago = active_days(chunk)
    pace = rhythm(chunk, Rhythm.usual(gaps(row, ago)[1]))
    recency = np.full(len(users), np.inf)
    np.minimum.at(recency, row, ago)
    return pl.DataFrame(
        {
            "user_id": users,
            "is_regular": pace.is_regular,
            "fading": pace.fading,
            "recency": recency,
            "gap": pace.usual_gap,
            "visits": np.bincount(row, minlength=len(users)).astype(float),
        }
    ).with_columns(day=pl.lit(today), regular=pl.col("is_regular").cast(pl.Float64))


def with_answer(seen: pl.DataFrame, ds: str, horizon: int) -> pl.DataFrame:
    state = on_day(seen, ds)
    first = datetime.fromisoformat(ds).date()
    after = pl.col("day").is_between(first + timedelta(1), first + timedelta(horizon))
    back = seen.filter(after)["user_id"].unique()
    return state.with_columns(gone=~pl.col("user_id").is_in(back.implode()))


def predicted(train: pl.DataFrame, test: pl.DataFrame, names: list[str]) -> np.ndarray:
    def inputs(rows: pl.DataFrame) -> np.ndarray:
        return np.log1p(rows.select(names).to_numpy())

    model = LogisticRegression(max_iter=1000).fit(inputs(train), train["gone"].to_numpy())
    return model.decision_function(inputs(test))


def gain(test: pl.DataFrame, plain: np.ndarray, full: np.ndarray) -> str:
    """Both AUCs, and the difference with a 95% interval over users."""
    gone, users = test["gone"].to_numpy(), test["user_id"].to_numpy()
    rows_of = [np.flatnonzero(users == user) for user in np.unique(users)]
    generator, gains = np.random.default_rng(0), []

    def aucs(rows: np.ndarray) -> list[float]:
        return [float(roc_auc_score(gone[rows], scores[rows])) for scores in (plain, full)]

    for _ in range(DRAWS):
        drawn = generator.integers(0, len(rows_of), len(rows_of))
        gains.append(np.diff(aucs(np.concatenate([rows_of[n] for n in drawn])))[0])
    low, high = np.quantile(gains, [0.025, 0.975])
    before, after = aucs(np.arange(len(gone)))
    return f"AUC {before:.3f} -> {after:.3f}, {after - before:+.4f} [{low:+.4f}, {high:+.4f}]"


def known_items(settings: Settings) -> pl.DataFrame:
    ds = list(published("item_topics", settings))[-1]
    items, topics = (pl.DataFrame(read(name, ds, settings)) for name in ("items", "item_topics"))
    return items.select("item_id", "platform", "title", "price").join(
        topics.select("item_id", "topic_id"), on="item_id", how="left"
    )


if __name__ == "__main__":
    main()
