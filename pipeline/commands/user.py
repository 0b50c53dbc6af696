"""The story of one user in words."""

from pipeline.report.story.facts import Facts
from pipeline.report.story.next_items import next_items
from pipeline.report.story.sections import chances, drift, interests, interventions, signals, who
from pipeline.runtime.plain import plain


def story(facts: Facts) -> str:
    """The sections that have something to tell."""
    row = facts.row
    sections = {
        "Who": who(facts),
        "Interests": interests(facts),
        "Drift": drift(facts),
        "Signals": signals(facts),
        "Intervention": interventions(facts),
        f"Chances, against the average of {facts.users:,} users": chances(facts),
        "Next items": next_items(facts, "next_items"),
        "Next items that are new to the user": next_items(facts, "next_new_items"),
    }
    shown = [
        "\n".join([heading, *(f"  {plain(line)}" for line in lines)]) for heading, lines in sections.items() if lines
    ]
    head = f"User {row['user_id']} at the end of {row['ds']} (model {row['model_version']})"
    return "\n\n".join([head, *shown])
