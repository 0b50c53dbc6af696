"""What a night waits for. Each function lists what is still missing; empty means: go."""

from pipeline.runtime.days import shift
from pipeline.runtime.settings import Settings

NIGHT = "nightly_features"
STATES = ("user_history", "items", "item_embeddings", "topics", "item_topics", "identities")  # carried on each night


def landing(settings: Settings, ds: str, take_incomplete: bool = False) -> list[str]:
    """What `ds` still lacks by the rules of its sources; with `take_incomplete` only sources without any file."""
    from pipeline.sources.landing import active_sources
    from pipeline.storage.arrivals import lacking, lacking_files

    if not active_sources(settings):
        return [f"no source is active: nothing is below {settings.landing}"]
    return lacking_files(settings, ds) if take_incomplete else lacking(settings, [ds]).get(ds, [])


def earlier_days(settings: Settings, ds: str) -> list[str]:
    """All landed days before `ds` whose events are not published: histories and the catalogue build on every one.

    When there are none: what the night would build on and is stale.
    """
    from pipeline.sources.landing import landed_days
    from pipeline.storage.reading import loaded  # pyiceberg: a second, too slow for parsing DAGs

    known = loaded("events", settings)
    absent = sorted(day for day in landed_days(settings) if day < ds and day not in known)
    if not absent:
        return stale_parents(settings, ds)
    return [
        f"events of {', '.join(absent)} landed and are not published; load them with "
        f"`python -m pipeline run --from {absent[0]} --to {absent[-1]}`"
    ]


def stale_parents(settings: Settings, ds: str) -> list[str]:
    """States and events that the night of `ds` builds on and that are not fresh; the DAG `repair` makes them again."""
    from pipeline.storage.lineage import Lineage

    stale = Lineage(settings, STATES).stale_before(ds, STATES)
    if not stale:
        return []
    more = f" (and {len(stale) - 1} more)" if len(stale) > 1 else ""
    return [f"{stale[0]}{more}; `python -m pipeline repair --to {shift(ds, -1)}` makes it again"]


def earlier_topics(settings: Settings, ds: str) -> list[str]:
    """The topics of the day before, which those of `ds` go on from, when a night is to bring them.

    A range load brings topics for its last day alone; nobody waits for the others.
    """
    from pipeline.storage.reading import published

    before = shift(ds, -1)
    loaded = published("events", settings).get(before)
    by_a_night = loaded is not None and loaded.run.startswith(f"{NIGHT}.")
    if not by_a_night or before in published("topics", settings):
        return []
    return [
        f"topics ds={before} is not published, though its night began; clear what failed there, or "
        f"load it with `python -m pipeline run --from {before} --to {before}`"
    ]


def history(settings: Settings, ds: str) -> list[str]:
    """Whether the histories and item vectors that training reads are published."""
    from pipeline.storage.reading import published

    tables = ("user_history", "item_embeddings")
    absent = [table for table in tables if ds not in published(table, settings)]
    return [f"{table} ds={ds} is not published; run nightly_features for it" for table in absent]


def segments(settings: Settings, ds: str) -> list[str]:
    """Whether the segments that a campaign's audience names are published."""
    from pipeline.decisions.campaigns.audience import segments_of
    from pipeline.decisions.campaigns.campaign import load_campaigns
    from pipeline.runtime.errors import CampaignError
    from pipeline.storage.reading import published

    try:
        asking = [campaign.name for campaign in load_campaigns(settings) if segments_of(campaign)]
    except CampaignError:
        return []  # the job says what is wrong
    if not asking or ds in published("segment_members", settings):
        return []
    return [f"segment_members ds={ds} is not published; {', '.join(asking)} show to segments of it"]
