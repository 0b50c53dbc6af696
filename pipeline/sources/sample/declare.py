"""The decisions that the sample ships: two campaigns, an experiment, and interventions.

They name the creatives and days of the generated logs, so a first night has something to decide and judge.
"""

from importlib.resources import as_file, files
from pathlib import Path

from pipeline.runtime.atomic import replace_text


def declare(home: Path) -> list[Path]:
    """Copies the declarations into a home and returns the new files. A file that is there stays as it is."""
    written = []
    with as_file(files("pipeline.sources.sample") / "declarations") as shipped:
        for source in sorted(shipped.rglob("*.toml")):
            target = home / source.relative_to(shipped)
            if not target.exists():
                replace_text(target, source.read_text(encoding="utf-8"))
                written.append(target)
    return written
