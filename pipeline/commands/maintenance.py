"""Maintenance as a command: what else is read of the home, what would go, what went."""

from pipeline.decisions.needs import needed_days
from pipeline.report.quality import MODEL, tracking_reader
from pipeline.runtime.errors import ModelError
from pipeline.runtime.settings import Settings
from pipeline.storage.catalogue_age import check_age
from pipeline.storage.maintenance import maintain, pause, plan, publishing_times
from pipeline.storage.retention import Needs, keep_of
from pipeline.tables.registry import TABLES

SNAPSHOT, DS_TAG = "tidemark.snapshot.", "tidemark.ds"  # tags of a training run
EXAMPLES = "training_examples"


def print_plan(settings: Settings, older_catalogue: bool) -> None:
    """Prints the days that would go, and why."""
    if not older_catalogue:
        check_age(settings)
    for name, days in plan(settings, needs(settings)).items():
        for ds, why in days.items():
            print(f"{name} ds={ds}: would go, {why} ({name}={keep_of(settings, TABLES[name])})")


def print_maintenance(settings: Settings, older_catalogue: bool) -> None:
    """Maintains every table, and prints what went of each."""
    if (found := pause(publishing_times(settings), settings.retention_days)) > settings.retention_days:
        print(
            f"note: nothing was published for {found:.0f} days by this machine's clock; in case it jumped, snapshots "
            f"and files stay for another {settings.retention_days} days"
        )
    for name, done in maintain(settings, needs(settings), older_catalogue).items():
        days = f"{len(done.days)} days removed ({done.days[0]}..{done.days[-1]}), " if done.days else ""
        print(f"{name}: {days}{done.snapshots} snapshots expired, {done.files} files removed")


def needs(settings: Settings) -> Needs:
    """What campaigns, experiments and models read of the home."""
    days, snapshots = _models(settings)
    return Needs(needed_days(settings), {EXAMPLES: days}, snapshots)


def _models(settings: Settings) -> tuple[set[str], dict[str, set[int]]]:
    """The days whose examples, and the snapshots from which, the versions with an alias were trained.

    The champion learns on from its examples, and can be reproduced for as long as it serves.
    """
    client = tracking_reader(settings)
    if client is None:
        return set(), {}
    from mlflow.exceptions import MlflowException

    try:
        found = [it for it in client.search_registered_models() if it.name == MODEL]
        aliased = {version for model in found for version in client.get_registered_model(model.name).aliases.values()}
        versions = [client.get_model_version(MODEL, version) for version in aliased]
        runs = [client.get_run(str(version.run_id)) for version in versions if version.run_id]
    except MlflowException as error:
        raise ModelError(
            f"MLflow at {settings.tracking_uri}: expected the versions of {MODEL}, found {str(error)[:200]}; nothing "
            "was removed, since what they were trained on must stay; see that it runs, then try again"
        ) from None
    snapshots: dict[str, set[int]] = {}
    for run in runs:
        for name, value in run.data.tags.items():
            if name.startswith(SNAPSHOT):
                snapshots.setdefault(name.removeprefix(SNAPSHOT), set()).add(int(value))
    return {run.data.tags[DS_TAG] for run in runs if DS_TAG in run.data.tags}, snapshots
