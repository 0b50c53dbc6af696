"""The story of a user, section by section: each takes the facts and gives lines.

A section whose columns are null (a day published before they were declared) gives no lines.
"""

from itertools import groupby
from typing import Any

from pipeline.report.story.facts import Facts
from pipeline.runtime.wording import clean, listed, number, percent, span

TOPICS_SHOWN, LEAST_SHARE = 5, 0.02
SIGNALS_SHOWN = 3
ACTS = {
    "click": "a view",
    "cart": "a cart",
    "purchase": "a purchase",
    "return": "a return",
    "churn": "staying away",
}
STAGES = {
    "shifting": "Has been moving from {old} to {new} since {since}, for {span}",
    "shifted": "Moved from {old} to {new}: it began on {since}, {span} ago",
    "reviving": "Has been coming back to {new}, from {old}, since {since}, for {span}",
    "fading": "Has been losing interest in {old} since {since}, for {span}; what is left is {new}",
}
SEGMENTS = {
    "new": "New here",
    "active": "Active",
    "regular": "A regular",
    "fading": "A regular who is fading",
    "lapsed": "Lapsed",
}

COLD = {
    "no_known_item": "no event with an item of the catalogue",
    "no_engagement": "no item was turned to",
    "few_events": "fewer than 3 events",
}


def who(facts: Facts) -> list[str]:
    row = facts.row
    ago = f"{number(row['recency_days'], 'day')} ago" if row["recency_days"] else "today"
    counts = ", ".join(number(row[f"{act}s_28d"], act) for act in ("view", "cart", "purchase", "return"))
    lines = [
        f"On {listed(row['platforms'])} since {row['first_ds']}, last active {row['last_ds']} ({ago}).",
        f"In 28 days: {number(row['active_days_28d'], 'active day')}, "
        f"{number(row['events_28d'], 'event')}: {counts}; spent {row['spend_28d']:,.2f}.",
        f"In a year: {number(row['events_365d'], 'event')}, "
        f"{number(row['purchases_365d'], 'purchase')}, spent {row['spend_365d']:,.2f}.",
    ]
    if row["is_cold_start"] or row.get("cold_start"):
        why = COLD.get(row.get("cold_start") or "few_events")
        lines.append(f"Hardly known ({why}): what follows leans on all users.")
    return lines


def interests(facts: Facts) -> list[str]:
    row = facts.row
    lines = []
    for name, title in (("interests_long", "long-term"), ("interests_short", "short-term")):
        if row[name] is not None:
            lines.append(f"{title + ':':12}{_shares(facts, row[name])}")
    return lines


def _shares(facts: Facts, shares: list[dict[str, Any]]) -> str:
    """The topics that matter, the rest in sum."""
    shown = [it for it in shares[:TOPICS_SHOWN] if it["share"] >= LEAST_SHARE]
    told = [f"{topic(facts, it['topic_id'])} {percent(it['share'])}" for it in shown]
    rest = sum(it["share"] for it in shares[len(shown) :])
    return ", ".join(told + ([f"others {percent(rest)}"] if rest > 0 else [])) or "none yet"


def drift(facts: Facts) -> list[str]:
    """One sentence on the move, one on the path of the weeks."""
    row = facts.row
    stage = row["drift_stage"]
    if stage is None:
        return []
    chance = f"p = {row['drift_p_value']:.2g}"
    if stage == "stable":
        lines = [f"Stable: no move beyond chance ({chance})."]
    else:
        moved = STAGES[stage].format(
            old=topic(facts, row["drift_from_topic"]),
            new=topic(facts, row["drift_to_topic"]),
            since=row["drift_since_ds"],
            span=span(row["drift_since_ds"], row["ds"]),
        )
        lines = [f"{moved} ({stage}, {chance}, distance {row['drift_score']:.2f})."]
    path = _path(facts, row["weekly_topics"] or [])
    if path:
        pattern = f" ({row['pattern'].replace('_', ' ')})" if row["pattern"] else ""
        lines.append(f"Week by week: {path}{pattern}.")
    return lines


def _path(facts: Facts, weeks: list[str]) -> str:
    runs = [(name, len(list(same))) for name, same in groupby(weeks)]
    return " → ".join(topic(facts, name) + (f" ({number(count, 'week')})" if count > 1 else "") for name, count in runs)


def signals(facts: Facts) -> list[str]:
    row = facts.row
    if row["segment"] is None:
        return []
    lines = [_rhythm(row), *_due_again(facts)]
    if row["search_intents"]:
        queries = [f"“{clean(it['query'])}”" for it in row["search_intents"][:SIGNALS_SHOWN]]
        lines.append(f"Searched of late: {', '.join(queries)}.")
    lines.append(f"Returns {percent(row['return_rate'])} of what is bought.")
    if row["price_level"] is not None:
        level = round(100 * (2.718281828 ** row["price_level"] - 1))
        lines.append(f"Pays {abs(level)}% {'over' if level > 0 else 'under'} the usual price.")
    if row["sentiment"] is not None:
        tone = row["sentiment"]
        word = "kind" if tone > 0.2 else "harsh" if tone < -0.2 else "mixed"
        lines.append(f"Reviews: {row['reviews']}, {word} ({tone:+.2f}).")
    if row["anomaly_reason"]:
        reason = clean(row["anomaly_reason"].replace("_", " "))
        lines.append(f"Unlike others: {reason} (score {row['anomaly_score']:.2f}).")
    return lines


def _rhythm(row: dict[str, Any]) -> str:
    gap = row["usual_gap_days"]
    every = f", usually here every {number(round(gap, 1), 'day')}" if gap is not None else ""
    silence = f"; the silence is unusual ({row['fading']:.2f} of 1)" if row["fading"] >= 0.5 else ""
    return f"{SEGMENTS[row['segment']]}{every}{silence}."


def _due_again(facts: Facts) -> list[str]:
    return [
        f"{'Due again on' if it['due_ds'] > facts.row['ds'] else 'Has been due since'} "
        f"{it['due_ds']}: {topic(facts, it['topic_id'])}, every {it['cycle_days']:.0f} days, "
        f"last {title(facts, it['item_id'])}."
        for it in (facts.row["due_again"] or [])[:SIGNALS_SHOWN]
    ]


def chances(facts: Facts) -> list[str]:
    """Each act within 7 and 28 days, against the average user."""
    lines = [f"{'':14}{'7 days':>8} {'average':>8} {'28 days':>9} {'average':>8}"]
    for act, words in ACTS.items():
        cells = [
            percent(value)
            for days in (7, 28)
            for value in (facts.row[f"p_{act}_{days}d"], facts.average[f"p_{act}_{days}d"])
        ]
        lines.append(f"{words:14}{cells[0]:>8} {cells[1]:>8} {cells[2]:>9} {cells[3]:>8}")
    return lines + _moved(facts.row.get("propensity_reasons") or [])


def _moved(reasons: list[dict[str, Any]]) -> list[str]:
    """What moved the chances of 28 days most, in log-odds."""
    lines = []
    for act, words in ACTS.items():
        mine = [it for it in reasons if it["head"] == f"{act}_28d"][:SIGNALS_SHOWN]
        told = ", ".join(f"{clean(it['name'].replace('_', ' '))} {it['effect']:+.1f}" for it in mine)
        if told:
            lines.append(f"What moves {words}: {told}.")
    return lines


def interventions(facts: Facts) -> list[str]:
    """What is to be done about the user, why, and until when."""
    lines = []
    for row in facts.interventions:
        what = f" ({title(facts, row['item_id'])})" if row["item_id"] else ""
        action = row["suggested_action"]
        to_do = f"To do until {row['expires_ds']}: {clean(action)}" if action else "Held out"
        kind = row["kind"].replace("_", " ").capitalize()
        lines.append(f"{kind}{what}: {row['reason']}. {to_do}.")
    return lines


def topic(facts: Facts, topic_id: str | None) -> str:
    if topic_id is None:
        return "no topic in particular"
    return f"“{clean(facts.topics[topic_id])}”" if topic_id in facts.topics else topic_id


def title(facts: Facts, item_id: str | None) -> str:
    if item_id is None:
        return "an item"
    return clean(facts.titles[item_id]) if item_id in facts.titles else item_id
