"""Which models learned from a person: by the input snapshots that their runs recorded."""

import json
import os
import subprocess

from pipeline.orchestration import step_commands
from pipeline.runtime.errors import ModelError
from pipeline.runtime.processes import error_line
from pipeline.runtime.settings import Settings


def models_trained_on(settings: Settings, snapshots: dict[str, dict[int, bool]]) -> list[dict[str, str]]:
    """The runs, by what each kept snapshot of each table holds. Raises ModelError."""
    asked = {
        "held": {name: [it for it, holds in ids.items() if holds] for name, ids in snapshots.items()},
        "kept": {name: list(ids) for name, ids in snapshots.items()},
    }
    done = subprocess.run(
        step_commands.trained_on(),
        input=json.dumps(asked),
        env={**os.environ, **step_commands.environment(settings)},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        said = error_line(done.stderr.splitlines()).removeprefix("error: ")
        raise ModelError(f"the runs that learned from the person could not be listed: {said}")
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return [json.loads(line) for line in lines]
