"""Remove persons from everything, and print which models may have learned from them."""

from collections.abc import Sequence

from pipeline.erasure.erase import erase
from pipeline.runtime.settings import Settings
from pipeline.sources.landing import warnings
from pipeline.storage.suppression import erasures


def erase_persons(settings: Settings, users: Sequence[str], reason: str) -> None:
    """Erases the persons; a run that was cut off is simply repeated. Raises ErasureError."""
    for line in warnings(settings):  # nobody knows which of its fields name a person
        print(f"warning: not searched: {line}", flush=True)
    record = erase(settings, list(users), reason, lambda line: print(line, flush=True))
    for model in record.models:
        name = f"model version {model['version']}" if model["version"] else "unregistered run"
        print(f"{name} (MLflow run {model['run_id']}, ds={model['ds']}): {model['evidence']}")
    if record.models:
        print("These models learned from the persons, or may have; train again to be rid of them.")
    print(f"recorded in {erasures(settings) / record.id}.json")
