"""The next items of a user, with titles and reasons."""

from typing import Any

from pipeline.report.story.facts import Facts
from pipeline.report.story.sections import title
from pipeline.runtime.wording import percent

SHOWN = 8
REASONS_SHOWN = 2
SOURCES = {
    "own": "own repeats",
    "alike": "users alike",
    "trend": "in demand",
    "text": "like its text",
    "model": "the order of events",
}


def next_items(facts: Facts, name: str) -> list[str]:
    """The best entries of a list: chance, title, what speaks for it."""
    row = facts.row
    reasons = row.get(f"{name}_reasons") or []
    lines = []
    for place, entry in enumerate((row[name] or [])[:SHOWN]):
        why = _sources(reasons[place]) if place < len(reasons) else ""
        because = _because(facts, name, entry["item_id"])
        told = "; ".join(part for part in (why, because) if part)
        chance = percent(entry["score"])
        lines.append(f"{place + 1:2}. {chance:>6}  {title(facts, entry['item_id'])}" + (f" — {told}" if told else ""))
    return lines


def _sources(reason: dict[str, float]) -> str:
    """The sources that speak for an entry most, with their log-odds."""
    speaking = sorted(
        ((value, source) for source, value in reason.items() if value is not None and value > 0),
        reverse=True,
    )
    return ", ".join(f"{SOURCES[name]} {value:+.1f}" for value, name in speaking[:REASONS_SHOWN])


def _because(facts: Facts, name: str, item: str) -> str:
    """The items of the user's own events that moved the entry most."""
    entries: list[dict[str, Any]] = facts.row.get(f"{name}_because") or []
    mine = [it for it in entries if it["item_id"] == item and it["effect"] > 0]
    told = [
        "itself" if it["because_item_id"] == item else title(facts, it["because_item_id"])
        for it in mine[:REASONS_SHOWN]
    ]
    return f"after {', '.join(told)}" if told else ""
