"""What is said of a process that failed, also when the disk had no room for its own words."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.runtime import processes
from pipeline.runtime.errors import OrchestrationError
from pipeline.runtime.processes import Processes

SILENT = [sys.executable, "-c", "raise SystemExit(1)"]


@pytest.mark.parametrize(
    ("free", "said"),
    [(1000, "no output, and no space left on the device of .*: free some and run again"), (1 << 40, "no output;")],
)
def test_a_process_without_last_words(free: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes.shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    with pytest.raises(OrchestrationError, match=rf"ingest \(exit code 1\): {said}"):
        Processes({}).run("ingest", SILENT, tmp_path / "ingest.log")
