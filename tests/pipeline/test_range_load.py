"""The range load: which processes run in which order, and how a failure is told."""

import resource
import sys

import pytest

from pipeline import range_load, step_commands
from pipeline.commands.run import show
from pipeline.errors import ModelError, OrchestrationError
from pipeline.range_load import Finished, error_line, load_range
from pipeline.settings import Settings
from pipeline.steps import CLEAN, ENCODE, EXAMPLES, INGEST, SCORE, TRAIN


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Records the processes instead of running them; there is a champion, version 7."""
    seen: list[tuple[str, str]] = []

    def execute(settings, step, part, command, log) -> Finished:
        seen.append((step, part))
        return Finished(step, part, 1.0, 10)

    monkeypatch.setattr(range_load, "_execute", execute)
    monkeypatch.setattr(range_load, "champion", lambda settings: "7")
    return seen


def test_every_step_in_order_up_to_the_last(home: Settings, ran) -> None:
    load_range(home, "2026-01-01", "2026-01-02", CLEAN)
    assert ran == [(s, p) for s in ("ingest", "clean") for p in ("job", "audit", "publish")]


def test_training_is_skipped_when_there_is_a_champion(home: Settings, ran) -> None:
    load_range(home, "2026-01-01", "2026-01-02", SCORE)
    steps = list(dict.fromkeys(step for step, _ in ran))
    assert steps == [
        "ingest", "clean", "sessionize", "catalogue", "accumulate", "encode", "score",
    ]  # fmt: skip
    assert ran[-4:] == [("score", part) for part in ("bucket-0", "bucket-1", "audit", "publish")]


def test_without_a_champion_one_is_trained_and_scoring_needs_one(
    home: Settings, ran, monkeypatch
) -> None:
    monkeypatch.setattr(range_load, "champion", lambda settings: "")
    with pytest.raises(ModelError, match="expected a champion, found none"):
        load_range(home, "2026-01-01", "2026-01-02", SCORE)
    assert ran[-6:] == [
        *[("examples", part) for part in ("job", "audit", "publish")],
        *[(step, "job") for step in ("train", "evaluate", "promote")],
    ]


def test_commands_are_what_a_person_types(home: Settings) -> None:
    def typed(step, first="2026-01-01", last="2026-01-05"):
        command = step_commands.job(step, home, first, last, "R")
        return [part.rsplit("/", 1)[-1] for part in command]

    days = ["--from", "2026-01-01", "--to", "2026-01-05", "--run", "R"]
    java = ["--driver-java-options", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"]
    master = ["--master", "local[2]", "--driver-memory", "1g", *java]
    assert typed(INGEST) == ["spark-submit", *master, "ingest_raw.py", *days]
    last = ["--ds", "2026-01-05", "--run", "R"]
    assert typed(EXAMPLES) == ["spark-submit", *master, "build_examples.py", *last]
    python = sys.executable.rsplit("/", 1)[-1]
    assert typed(ENCODE) == [python, "-m", "training.encode_items", *days]
    assert typed(TRAIN) == [
        "torchrun", "--standalone", "--nproc-per-node", "2", "-m", "--", "training.train", *last,
    ]  # fmt: skip
    assert step_commands.audit(CLEAN, "R")[3:] == [
        "--table", "events", "--table", "quarantine", "--table", "accounting", "--run", "R",
    ]  # fmt: skip


def test_a_failed_process_stops_the_load_with_its_own_line(home: Settings, monkeypatch) -> None:
    code = "print('error: shop: no file'); print('26/01/01 INFO bye'); raise SystemExit(1)"
    command = [sys.executable, "-c", code]
    monkeypatch.setattr(step_commands, "job", lambda *arguments: command)
    with pytest.raises(OrchestrationError) as caught:
        load_range(home, "2026-01-01", "2026-01-01", INGEST)
    message = str(caught.value)
    assert message.startswith("ingest job (exit code 1): shop: no file; log: ")
    assert message.endswith("ingest-job.log")


def test_a_process_is_measured(home: Settings, monkeypatch, capsys) -> None:
    code = "block = bytearray(200 << 20); block[::4096] = b'x' * len(block[::4096])"
    for part in ("job", "audit", "publish"):
        monkeypatch.setattr(step_commands, part, lambda *a, code=code: [sys.executable, "-c", code])
    measured: list[Finished] = []
    load_range(home, "2026-01-01", "2026-01-01", INGEST, measured.append)
    assert [done.part for done in measured] == ["job", "audit", "publish"]
    # Linux counts the memory of the process that it was forked from too.
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    assert all(200 <= done.peak_mb < max(300, own + 50) for done in measured)
    show(Finished("ingest", "job", 1.26, 812))
    assert capsys.readouterr().out == "ingest      job          1.3 s    812 MB\n"


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        (["error: a", "error: b", "INFO bye"], "error: b"),
        (["12:00 hook: error: a: b", ""], "error: a: b"),
        (["Traceback", "pkg.SomeError: why", "INFO bye"], "pkg.SomeError: why"),
        (["something", "killed", " "], "killed"),
        ([], "no output"),
    ],
)
def test_the_line_that_says_why(lines: list[str], line: str) -> None:
    assert error_line(lines) == line
