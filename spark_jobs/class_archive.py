"""Archive the Java classes that Spark jobs load: each job then finishes three seconds sooner.

    python -m spark_jobs.class_archive

`make setup` runs it after Spark is installed, and again when Java has changed. Java ignores an archive that another
Java version made.
"""

import os
import subprocess
import tempfile
from pathlib import Path

from pipeline.orchestration import step_commands
from pipeline.runtime import program
from pipeline.runtime.errors import OrchestrationError
from pipeline.runtime.processes import error_line
from pipeline.runtime.settings import Settings

PROGRAM = step_commands.PROJECT / "spark_jobs" / "load_classes.py"


def make(settings: Settings, archive: Path) -> None:
    """Runs a small Spark program and keeps its classes. Raises OrchestrationError."""
    with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
        unfinished = Path(folder) / archive.name  # Java crashes on a partial archive
        options = f'{settings.spark_java_options} "-XX:ArchiveClassesAtExit={unfinished}"'
        command = [*step_commands.spark_submit(settings, options), str(PROGRAM)]
        # With .venv/bin on the path: spark-submit looks for Spark with the `python3` that it finds.
        environment = {**os.environ, **step_commands.environment(settings)}
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        if done.returncode or not unfinished.exists():
            raise OrchestrationError(f"class archive: {error_line(done.stderr.splitlines())}")
        unfinished.replace(archive)


def main() -> None:
    make(Settings(), step_commands.CLASS_ARCHIVE)


if __name__ == "__main__":
    program.run(main)
