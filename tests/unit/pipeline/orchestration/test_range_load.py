"""The range load: which processes run in which order, side by side, and how a failure is reported."""

import resource
import sys

import pytest

from pipeline.commands.run import show
from pipeline.orchestration import range_load, step_commands
from pipeline.orchestration.range_load import load_range
from pipeline.orchestration.steps import (
    CLEAN,
    DESCRIBE,
    ENCODE,
    EXAMPLES,
    INGEST,
    LAND,
    NIGHT,
    REPORT,
    SCORE,
    SESSIONIZE,
    TRAIN,
)
from pipeline.runtime.errors import ModelError, OrchestrationError
from pipeline.runtime.processes import Processes, Usage, error_line
from pipeline.runtime.settings import Settings


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Records the processes instead of running them; there is a champion, version 7."""
    seen: list[str] = []

    def run(processes, title, command, log) -> Usage:
        seen.append(title)
        return Usage(1.0, 10)

    monkeypatch.setattr(Processes, "run", run)
    monkeypatch.setattr(range_load, "champion", lambda *asked: "7")
    return seen


def whole(*steps: str) -> list[str]:
    return [f"{step} {part}" for step in steps for part in ("job", "release")]


@pytest.mark.parametrize("until", [CLEAN, LAND])
def test_every_step_in_order_up_to_the_last(home: Settings, ran, until) -> None:
    load_range(home, "2026-01-01", "2026-01-02", until)
    assert ran == whole("land")


def test_until_a_part_of_a_step_leaves_the_later_parts_out(home: Settings, monkeypatch) -> None:
    commands: dict[str, list[str]] = {}

    def run(processes, title, command, log) -> Usage:
        commands[title] = command
        return Usage(1.0, 10)

    monkeypatch.setattr(Processes, "run", run)
    load_range(home, "2026-01-01", "2026-01-02", ENCODE)
    assert list(commands) == [*whole("land"), *whole("derive"), *whole("describe")]
    assert commands["describe job"][-2:] == ["--until", "encode"]
    assert commands["describe release"][4:6] == ["--table", "item_embeddings"]
    assert len(commands["describe release"]) == 8
    assert "--until" not in commands["derive job"]
    load_range(home, "2026-01-01", "2026-01-02", SESSIONIZE)
    assert commands["derive job"][-2:] == ["--until", "sessionize"]
    assert commands["derive release"][4:6] == ["--table", "sessions"]


def test_training_is_skipped_when_there_is_a_champion(home: Settings, ran) -> None:
    load_range(home, "2026-01-01", "2026-01-02", SCORE)
    assert ran[:-3] == [*whole("land"), *whole("derive"), *whole("describe"), *whole("profile")]
    assert sorted(ran[-3:-1]) == ["score bucket-0", "score bucket-1"]  # side by side
    assert ran[-1] == "score release"


def test_the_champion_is_asked_for_once(home: Settings, ran, monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(range_load, "champion", lambda settings, *day: asked.append(day) or "7")
    load_range(home, "2026-01-01", "2026-01-02", REPORT)
    assert asked == [("2026-01-02", "")]  # that of the day that is scored
    load_range(home, "2026-01-01", "2026-01-02", ENCODE)
    assert len(asked) == 1
    load_range(home, "2026-01-01", "2026-01-02", REPORT, model_version="3")
    assert asked[1:] == [("2026-01-02", "3")]


def test_a_warm_night_starts_few_processes(home: Settings, ran) -> None:
    load_range(home, "2026-01-01", "2026-01-01", NIGHT[-1])
    assert len(ran) == 15


def test_without_a_champion_one_is_trained_and_scoring_needs_one(home: Settings, ran, monkeypatch) -> None:
    monkeypatch.setattr(range_load, "champion", lambda *asked: "")
    with pytest.raises(ModelError, match="expected a champion, found none"):
        load_range(home, "2026-01-01", "2026-01-02", SCORE)
    assert set(whole("examples")) < set(ran)
    last = [name for name in ran if not name.startswith("profile")]
    assert last[-3:] == ["train job", "evaluate job", "promote job"]


def test_commands_are_what_a_person_types(home: Settings, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(step_commands, "CLASS_ARCHIVE", tmp_path / "classes.jsa")

    def typed(step, first="2026-01-01", last="2026-01-05"):
        command = step_commands.job(step, home, first, last, "R")
        return [part.rsplit("/", 1)[-1] for part in command]

    days = ["--from", "2026-01-01", "--to", "2026-01-05", "--run", "R"]
    options = f'-XX:TieredStopAtLevel=1 -XX:+UseSerialGC "-Dlog4j2.configurationFile=file:{step_commands.LOGGING}"'
    assert step_commands.java_options(home) == options
    java = ["--driver-java-options", options.rsplit("/", 1)[-1]]
    master = ["--master", "local[2]", "--driver-memory", "1g", *java]
    assert typed(LAND) == ["spark-submit", *master, "land_days.py", *days]
    until = ["--until", "ingest"]
    assert typed(LAND.through("ingest")) == ["spark-submit", *master, "land_days.py", *days, *until]
    last = ["--ds", "2026-01-05", "--run", "R"]
    assert typed(EXAMPLES) == ["spark-submit", *master, "build_examples.py", *last]
    python = sys.executable.rsplit("/", 1)[-1]
    assert typed(DESCRIBE) == [python, "-m", "training.describe_days", *days]
    assert typed(TRAIN) == [
        "env",
        "OMP_NUM_THREADS=1",
        python,
        "-m",
        "training.launch",
        "--nproc-per-node",
        "2",
        "-m",
        "--",
        "training.train",
        *last,
    ]
    assert step_commands.release(LAND, "R")[1:] == [
        "-m",
        "pipeline",
        "release",
        "--table",
        "raw_events",
        "--table",
        "landed_files",
        "--table",
        "identities",
        "--table",
        "events",
        "--table",
        "quarantine",
        "--table",
        "accounting",
        "--run",
        "R",
    ]


@pytest.mark.parametrize(
    ("given", "options"),
    [
        ({}, {}),
        ({"spark_executors": "4"}, {"spark.executor.instances": "4"}),
        (
            {"spark_executors": "4", "spark_executor_cores": 2},
            {"spark.executor.instances": "4", "spark.cores.max": "8", "spark.executor.cores": "2"},
        ),
        (
            {"spark_executors": "2-20", "spark_executor_cores": 4},
            {
                "spark.dynamicAllocation.enabled": "true",
                "spark.dynamicAllocation.shuffleTracking.enabled": "true",
                "spark.dynamicAllocation.minExecutors": "2",
                "spark.dynamicAllocation.maxExecutors": "20",
                "spark.executor.cores": "4",
            },
        ),
        (
            {"spark_executor_memory": "8g", "spark_executor_overhead": "6g", "spark_archives": "/env.tar.gz"},
            {
                "spark.executor.memory": "8g",
                "spark.executor.memoryOverhead": "6g",
                "spark.archives": "/env.tar.gz#environment",
            },
        ),
    ],
)
def test_executors_get_what_is_set(home: Settings, given: dict, options: dict[str, str]) -> None:
    settings = home.model_copy(update=given)
    assert step_commands.executor_options(settings) == options
    command = step_commands.job(LAND, settings, "2026-01-01", "2026-01-01", "R")
    words = [f"{name}={value}" for name, value in options.items()]
    assert [command[place + 1] for place, word in enumerate(command) if word == "--conf"] == words


def test_jobs_use_the_archive_of_classes_where_there_is_one(home, monkeypatch, tmp_path) -> None:
    archive = tmp_path / "classes.jsa"
    monkeypatch.setattr(step_commands, "CLASS_ARCHIVE", archive)
    alone = step_commands.java_options(home)
    archive.touch()
    assert step_commands.java_options(home) == f'{alone} "-XX:SharedArchiveFile={archive}"'


def test_a_failed_process_stops_the_load_with_its_own_line(home: Settings, monkeypatch) -> None:
    code = "print('error: shop: no file'); print('26/01/01 INFO bye'); raise SystemExit(1)"
    command = [sys.executable, "-c", code]
    monkeypatch.setattr(step_commands, "job", lambda *arguments: command)
    with pytest.raises(OrchestrationError) as caught:
        load_range(home, "2026-01-01", "2026-01-01", INGEST)
    message = str(caught.value)
    assert message.startswith("land job (exit code 1): shop: no file; log: ")
    assert message.endswith("land-job.log")


def test_the_first_failure_ends_what_runs_at_the_same_time(home: Settings, monkeypatch) -> None:
    def job(step, *arguments: object) -> list[str]:
        code = {"examples": "import time; time.sleep(600)", "derive": "raise SystemExit(3)"}.get(step.name, "")
        return [sys.executable, "-c", code]

    monkeypatch.setattr(range_load, "champion", lambda *asked: "")
    monkeypatch.setattr(step_commands, "job", job)
    monkeypatch.setattr(step_commands, "release", lambda *a: [sys.executable, "-c", ""])
    with pytest.raises(OrchestrationError, match=r"^derive job \(exit code 3\): no output"):
        load_range(home, "2026-01-01", "2026-01-01", TRAIN)
    (run,) = (home.home / "logs").iterdir()
    begun = {log.name for log in run.iterdir() if log.name.endswith("-job.log")}
    assert begun - {"examples-job.log"} == {"land-job.log", "derive-job.log"}


def test_a_process_is_measured(home: Settings, monkeypatch, capsys) -> None:
    code = "block = bytearray(200 << 20); block[::4096] = b'x' * len(block[::4096])"
    for part in ("job", "release"):
        monkeypatch.setattr(step_commands, part, lambda *a, code=code: [sys.executable, "-c", code])
    measured: list[tuple[str, Usage]] = []
    load_range(
        home,
        "2026-01-01",
        "2026-01-01",
        INGEST,
        lambda step, part, usage: measured.append((part, usage)),
    )
    assert [part for part, _ in measured] == ["job", "release"]
    # Linux counts the memory of the process that it was forked from too.
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    assert all(200 <= usage.peak_mb < max(300, own + 50) for _, usage in measured)
    show("land", "job", Usage(1.26, 812))
    assert capsys.readouterr().out == "land        job          1.3 s    812 MB\n"


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
