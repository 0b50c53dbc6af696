"""`python -m pipeline user ID [--ds D] [--json]`: the story of one user.

ID is a `user_id`, or `<platform>:<raw id>` as a platform knows the user.
"""

import argparse
import json
import re

from pipeline.report.story.facts import Facts, facts_of
from pipeline.report.story.next_items import next_items
from pipeline.report.story.sections import chances, drift, interests, interventions, signals, who
from pipeline.runtime.days import parse_day
from pipeline.runtime.errors import NotPublishedError
from pipeline.runtime.settings import Settings
from pipeline.sources.user_key import load_user_key, pseudonym
from pipeline.storage.reading import published
from pipeline.tables.registry import USER


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="user_id, or <platform>:<raw id>")
    parser.add_argument("--ds", help="day; the newest published one when left out")
    parser.add_argument("--json", action="store_true", help="all that is known, for machines")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    days = published("user_features", settings)
    if not days:
        raise NotPublishedError("user_features: nothing has been published yet; run a night first")
    ds = parse_day(arguments.ds) if arguments.ds else max(days)
    facts = facts_of(settings, _user_id(arguments.id, settings), ds)
    print(json.dumps(facts.as_json(), ensure_ascii=False) if arguments.json else story(facts))
    return 0


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
    told = ["\n".join([heading, *(f"  {line}" for line in lines)]) for heading, lines in sections.items() if lines]
    head = f"User {row['user_id']} at the end of {row['ds']} (model {row['model_version']})"
    return "\n\n".join([head, *told])


def _user_id(text: str, settings: Settings) -> str:
    return text if re.match(USER, text) else pseudonym(load_user_key(settings.home), text)
