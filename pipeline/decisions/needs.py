"""The days of tables that what is declared in a home still reads, which retention must leave.

Campaigns are judged on the impressions of some weeks, with the features of their time; experiments and uplift count
from their first day; a price drop is found against the prices of the days on which users looked.
"""

from pipeline.decisions.campaigns.campaign import load_campaigns
from pipeline.decisions.experiments.experiment import load_experiment
from pipeline.decisions.interventions.declaration import load_declaration
from pipeline.features.as_of_join import MAX_AGE
from pipeline.runtime.days import shift
from pipeline.runtime.settings import Settings
from pipeline.storage.reading import published
from pipeline.tables.registry import USER_FEATURES

WEEK = 7  # of the caps on contacts


def needed_days(settings: Settings) -> dict[str, str]:
    """Table -> the first day that is needed. Raises the error of a declaration that is wrong."""
    newest = max(published(USER_FEATURES.name, settings), default=None)
    if newest is None:
        return {}
    needed: dict[str, str] = {}

    def need(first: str, *tables: str) -> None:
        needed.update({table: min(first, needed.get(table, first)) for table in tables})

    for campaign in load_campaigns(settings):
        # The night before an impression may be as old as a feature may be.
        need(shift(newest, -campaign.feedback_days - MAX_AGE.days), "user_features", "events")
    for file in sorted((settings.home / "experiments").glob("*.toml")):
        experiment = load_experiment(settings, file.stem)
        first = shift(experiment.first_day, -experiment.window_days - MAX_AGE.days)
        need(first, "events", "user_features", "interventions")
    if declaration := load_declaration(settings):
        back = max(declaration.days_back, WEEK)
        need(shift(newest, -back - 1), "items", "events")
        need(shift(newest, -max(declaration.cool_down_days, WEEK) - 1), "interventions")
    return needed
