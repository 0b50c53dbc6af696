"""Which runs learned from a person, by the snapshots that they recorded."""

from pipeline.runtime.settings import Settings
from training.find_runs import trained_on
from training.registry.runs import DS_TAG, EXPERIMENT, open_client


def test_runs_by_their_inputs(home: Settings) -> None:
    """Snapshot 1 held the person, 2 did not, 3 is not kept any more; items hold nobody."""
    assert trained_on(home, {"training_examples": [1]}, {}) == []
    client = open_client(home)
    experiment = client.get_experiment_by_name(EXPERIMENT).experiment_id
    for name, snapshot in (("held", 1), ("free", 2), ("gone", 3)):
        tags = {"tidemark.snapshot.training_examples": str(snapshot), "tidemark.snapshot.items": "9", DS_TAG: name}
        client.create_run(experiment, tags=tags)
    held, kept = {"training_examples": [1]}, {"training_examples": [1, 2]}
    found = {run["ds"]: run["evidence"] for run in trained_on(home, held, kept)}
    assert found == {"held": "certain", "gone": "possible"}
