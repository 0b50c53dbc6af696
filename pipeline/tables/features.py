"""The table that everybody reads."""

from dataclasses import replace

from pipeline.runtime.settings import Settings
from pipeline.tables.columns import (
    BECAUSE,
    DAY,
    DS,
    NEXT_ITEMS,
    PROPENSITY_REASONS,
    REASONS,
    SCORED_ITEMS,
    USER_ID,
)
from pipeline.tables.interests import USER_INTERESTS, USER_SIGNALS
from pipeline.tables.schema import (
    BOOL,
    DOUBLE,
    FLOAT,
    INT,
    STRING,
    TEXTS,
    VECTOR,
    Column,
    Keep,
    RowRule,
    Table,
    none_of,
)
from pipeline.tables.state import ACTS

TOLERANCE = 1e-6
# What propensities rest on.
BY_MODEL, OBSERVED, EXTRAPOLATED, PRIOR = "model", "base_rate", "extrapolated", "prior"
NO_MODEL = "none"  # `model_version` of rows that were scored while the log was too short to train on


def _probability(name: str, meaning: str) -> Column:
    return Column(name, FLOAT, meaning, True, "probability", 0, 1, by_model=True)


def _count(name: str, meaning: str) -> Column:
    return Column(name, INT, meaning, True, "events", 0)


def _reasons(name: str) -> tuple[Column, ...]:
    """What version 1.1 says of a published list besides its sources."""
    return (
        Column(
            f"{name}_because",
            BECAUSE,
            f"for the first 10 entries of `{name}`: up to 3 items of the user's own events that moved the entry most",
            True,
            since="1.1",
            by_model=True,
        ),
        Column(
            f"{name}_cold",
            INT,
            f"entries of `{name}` that the model knows by their text alone: it was trained before "
            "anybody had turned to them",
            True,
            "items",
            0,
            NEXT_ITEMS,
            since="1.1",
            by_model=True,
        ),
    )


# Tables with one row per user of `user_history`. Their columns are declared there, and stand in
# `user_features` under the same names.
JOINED = (USER_INTERESTS, USER_SIGNALS)


def joined_columns(table: Table) -> tuple[Column, ...]:
    """What `user_features` takes over from a table of JOINED."""
    return tuple(replace(c, since="1.1") for c in table.columns if c not in (DS, USER_ID))


SCORED_USERS = Table(
    "scored_users",
    "the part of `user_features` that the model computes from `user_history`",
    (
        DS,
        USER_ID,
        Column(
            "model_version",
            STRING,
            "registry version of the champion that scored; `none` while there was none yet",
            True,
        ),
        Column(
            "model_ds",
            STRING,
            "day that this model was trained for: it saw nothing that arrived later",
            True,
            pattern=DAY,
            since="1.1",
        ),
        Column("platforms", TEXTS, "platforms used, sorted", True),
        Column(
            "first_ds",
            STRING,
            "first active day within the window, or the first one with an impression",
            True,
            pattern=DAY,
        ),
        Column(
            "last_ds",
            STRING,
            "last active day, or the last one with an impression where there is none",
            True,
            pattern=DAY,
        ),
        Column("recency_days", INT, "days since `last_ds`", True, "days", 0),
        Column(
            "active_days_28d",
            INT,
            "days in 28 on which the user did anything; impressions are no activity",
            True,
            "days",
            0,
            28,
        ),
        _count("events_7d", "events in 7 days"),
        _count("events_28d", "events in 28 days"),
        _count("views_28d", "views in 28 days"),
        _count("carts_28d", "carts in 28 days"),
        _count("purchases_28d", "purchase events in 28 days"),
        _count("returns_28d", "return events in 28 days"),
        _count("events_365d", "events in 365 days"),
        _count("purchases_365d", "purchase events in 365 days"),
        Column("spend_28d", DOUBLE, "purchase value in 28 days", True, "platform currency", 0),
        Column("spend_365d", DOUBLE, "purchase value in 365 days", True, "platform currency", 0),
        Column("is_cold_start", BOOL, "fewer than 3 events with an item the model can read", True),
        Column(
            "embedding",
            VECTOR,
            "user vector; comparable within one `model_version`",
            True,
            by_model=True,
        ),
        Column(
            "next_items",
            SCORED_ITEMS,
            "best next items, best first; shorter where the platforms have no more items",
            True,
            length=NEXT_ITEMS,
            by_model=True,
        ),
        Column(
            "next_new_items",
            SCORED_ITEMS,
            "the same of items that the user never turned to",
            True,
            length=NEXT_ITEMS,
            by_model=True,
        ),
        Column(
            "next_items_reasons",
            REASONS,
            "log-odds that each entry of `next_items` owes to the user's own repeats, to users "
            "alike, to the trend, to texts and to the transformer, beside an average item",
            True,
            by_model=True,
        ),
        Column("next_new_items_reasons", REASONS, "the same of `next_new_items`", True, by_model=True),
        _probability("p_click_7d", "a view within 7 days"),
        _probability("p_click_28d", "a view within 28 days"),
        _probability("p_cart_7d", "a cart within 7 days"),
        _probability("p_cart_28d", "a cart within 28 days"),
        _probability("p_purchase_7d", "a purchase within 7 days"),
        _probability("p_purchase_28d", "a purchase within 28 days"),
        _probability("p_return_7d", "a return within 7 days"),
        _probability("p_return_28d", "a return within 28 days"),
        _probability("p_churn_7d", "no activity within 7 days"),
        _probability("p_churn_28d", "no activity within 28 days"),
        Column(
            "embedding_drift",
            FLOAT,
            "how far the user's vector moved in 28 days: cosine distance between now and what the "
            "same model makes of the history as it was known then",
            unit="cosine distance",
            minimum=0,
            maximum=2,
            nulls="without an event listed then",
            since="1.1",
            by_model=True,
        ),
        Column(
            "cold_start",
            STRING,
            "why the row rests on text, platform and popularity rather than on the user: no event "
            "with an item of the catalogue, none in which the user turned to one, or fewer than 3",
            values=("no_known_item", "no_engagement", "few_events"),
            nulls="for users known well enough",
            since="1.1",
        ),
        *(column for name in ("next_items", "next_new_items") for column in _reasons(name)),
        Column(
            "propensity_reasons",
            PROPENSITY_REASONS,
            "what moved the chances within 28 days most (empty without a model): per head up to 3 features, beside an "
            "average user, then up to 2 days of events, beside the user without them",
            True,
            since="1.1",
            by_model=True,
        ),
        Column(
            "propensity_basis",
            STRING,
            "what the chances rest on: the model; while the log is too short to train one, how often all users did it "
            "in spans as long as the horizon; the same of shorter spans, as if every day were alike; a stated prior",
            values=(BY_MODEL, OBSERVED, EXTRAPOLATED, PRIOR),
            nulls="before version 1.2, when it was always the model",
            since="1.2",
        ),
    ),
    key=("user_id",),
    snapshot=True,
)


def _user_features(settings: Settings) -> list[RowRule]:
    less, more = "p_{}_7d", "p_{}_28d"
    ordered = [(less.format(act), more.format(act)) for act in ACTS]
    ordered.append((more.format("churn"), less.format("churn")))
    rules: list[RowRule] = [
        *[
            (f"{low} is at most {high}", f"{low} <= {high} + {TOLERANCE}", ("user_id", low, high))
            for low, high in ordered
        ],
        ("embedding is finite", "isfinite(list_sum(embedding))", ("user_id",)),
        (
            "first_ds <= last_ds <= ds",
            "first_ds <= last_ds AND last_ds <= ds",
            ("user_id", "first_ds", "last_ds"),
        ),
    ]
    for name in ("next_items", "next_new_items"):
        scores = f"list_transform({name}, lambda x: x.score)"
        items = f"list_transform({name}, lambda x: x.item_id)"
        rules += [
            (f"{name} are best first", f"{scores} = list_reverse_sort({scores})", ("user_id",)),
            (f"{name} are distinct", f"len(list_distinct({items})) = len({name})", ("user_id",)),
            (
                f"{name}_reasons match {name}",
                f"len({name}_reasons) = len({name})",
                ("user_id",),
            ),
            (
                f"{name}_because tells of entries of {name}",
                none_of(f"{name}_because", f"NOT list_contains({items}, e.item_id)"),
                ("user_id",),
            ),
            (
                f"{name}_cold is at most the entries of {name}",
                f"{name}_cold <= len({name})",
                ("user_id", f"{name}_cold"),
            ),
        ]
    rules.append(
        (
            "a cold start says why",
            "NOT is_cold_start OR cold_start IS NOT NULL",
            ("user_id", "cold_start"),
        )
    )
    for table in JOINED:
        rules += table.rules(settings)
    return rules


USER_FEATURES = Table(
    "user_features",
    "what recommenders and ad targeting read: one row per user active in the last `active_days`",
    (
        *SCORED_USERS.columns,
        *(column for table in JOINED for column in joined_columns(table)),
    ),
    key=("user_id",),
    keep=Keep(35, 8),  # as_of and the feedback of campaigns read each night of some weeks
    snapshot=True,
    version="1.3",
    rules=_user_features,
)
