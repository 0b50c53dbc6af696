"""Remove persons from everything, and print which models may have learned from them."""

from collections.abc import Sequence
from pathlib import Path

from pipeline.erasure.erase import erase
from pipeline.runtime.errors import UsageError
from pipeline.runtime.settings import Settings
from pipeline.sources.landing import warnings
from pipeline.storage.suppression import erasures

IN_DOUBT = 3  # exit code when the search found nothing, and there is something that it could not search
LISTED = 20


def erase_persons(settings: Settings, users: Sequence[str], reason: str, former: Sequence[Path] = ()) -> int:
    """Erases the persons and returns the exit code; a run that was cut off is simply repeated.

    `former`: files with earlier keys of the home. Raises ErasureError.
    """
    keys = [_key(path) for path in former]
    for line in warnings(settings):  # nobody knows which of its fields name a person
        print(f"warning: not searched: {line}", flush=True)
    record = erase(settings, list(users), reason, lambda line: print(line, flush=True), keys)
    for model in record.models:
        name = f"model version {model['version']}" if model["version"] else "unregistered run"
        print(f"{name} (MLflow run {model['run_id']}, ds={model['ds']}): {model['evidence']}")
    if record.models:
        print("These models learned from the persons, or may have; train again to be rid of them.")
    for line in record.in_doubt[:LISTED]:
        print(f"cannot tell: {line}")
    if len(record.in_doubt) > LISTED:
        print(f"cannot tell: {len(record.in_doubt) - LISTED} more, see the record")
    print(f"recorded in {erasures(settings) / record.id}.json")
    return IN_DOUBT if record.in_doubt else 0


def _key(path: Path) -> bytes:
    try:
        return path.read_text(encoding="utf-8").strip().encode()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--former-key {path}: expected a file with a key, it cannot be read ({error})") from None
