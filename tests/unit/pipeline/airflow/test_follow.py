"""Following a run: what is printed, once per task that ends; and what a failure says."""

import io
from types import SimpleNamespace

import httpx
import pytest
from rich.console import Console

from pipeline.airflow.follow import follow, table
from pipeline.airflow.rest import _lines
from pipeline.airflow.start import require_running
from pipeline.commands.nightly import failures
from pipeline.runtime.errors import OrchestrationError
from pipeline.runtime.settings import Settings


def task(task_id: str, state: str | None, seconds: float | None = None, **changes) -> dict:
    minute = "2026-01-01T00:00:{:02d}Z"
    began = minute.format(changes.pop("began", 0)) if state else None
    ended = minute.format(59) if seconds is not None else None
    return {
        "task_id": task_id,
        "state": state,
        "duration": seconds,
        "start_date": began,
        "end_date": ended,
        "map_index": -1,
        "try_number": 1,
        **changes,
    }


POLLS = [
    ("running", [task("b", None), task("a", "running")]),
    ("running", [task("b", "up_for_retry", 2.0, began=9), task("a", "success", 1.25)]),
    (
        "failed",
        [
            task("b", "failed", 3.0, began=9, try_number=2),
            task("a", "success", 1.25),
            task("c", "upstream_failed", 0.0),
            task("d", "skipped", 0.0, try_number=0),
        ],
    ),
]


class Client:
    """Answers with one poll after the other."""

    def __init__(self) -> None:
        self.polls = iter(POLLS)

    def get(self, path: str) -> dict:
        if path.endswith("taskInstances?limit=1000"):
            return {"task_instances": self.tasks}
        state, self.tasks = next(self.polls)
        return {"state": state}


def test_each_end_of_a_task_is_one_line(monkeypatch, capsys) -> None:
    monkeypatch.setattr("pipeline.airflow.follow.POLL_SECONDS", 0)
    assert follow(Client(), "dags/d/dagRuns/r") == POLLS[-1]
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        ["a", "success", "try", "1", "1.2", "s"],
        ["b", "up_for_retry", "try", "1", "2.0", "s"],
        ["b", "failed", "try", "2", "3.0", "s"],
    ]


def test_the_live_table_counts_what_is_to_come() -> None:
    shown = table([*POLLS[0][1], task("score.job", "success", 4.0, map_index=1, began=5)])
    assert list(shown.columns[0].cells) == ["a", "score.job[1]"]
    assert shown.caption == "1 tasks to come"


def test_a_failure_names_task_and_line() -> None:
    log = ["starting", "error: events: too few", "INFO bye"]
    client = SimpleNamespace(log=lambda run_path, failed: log)
    tasks = [task("a.job", "failed", 1.0), task("a.audit", "upstream_failed", 0.0)]
    assert failures(client, "run", tasks) == "a.job: error: events: too few"


def test_a_log_entry_holds_its_exception() -> None:
    entry = {"event": "Task failed", "error_detail": [{"exc_value": "exit code 1:\nwhy"}]}
    assert _lines(entry) == ["Task failed", "exit code 1:", "why"]
    assert _lines({"event": "::group::Pre"}) == []


def test_a_scheduler_that_died_ends_the_wait(home: Settings) -> None:
    """Its run says `running` for ever."""
    endless = SimpleNamespace(get=lambda path: {"state": "running", "task_instances": []})
    polls = []

    def check() -> None:
        polls.append(1)
        if len(polls) > 1:
            require_running(home)

    with pytest.raises(OrchestrationError, match=r"airflow-scheduler, .*: expected to run until the night is over"):
        follow(endless, "dags/d/dagRuns/r", check)


def test_an_api_server_that_went_is_one_clear_line() -> None:
    def get(path: str) -> dict:
        raise httpx.ConnectError("connection refused")

    with pytest.raises(OrchestrationError, match="Airflow does not answer: connection refused; see its logs"):
        follow(SimpleNamespace(get=get), "dags/d/dagRuns/r")


def test_a_task_named_like_markup_crashes_no_table() -> None:
    console = Console(file=io.StringIO(), width=100)
    console.print(table([task("[/red] \x1b[2J", "success", 1.0)]))
    assert "[/red] \\u001b[2J" in console.file.getvalue()
