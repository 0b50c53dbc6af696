"""Follow a DAG run: a live table on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Column, Table
from rich.text import Text

from pipeline.airflow.rest import AirflowClient
from pipeline.runtime.errors import OrchestrationError
from pipeline.runtime.plain import plain, terminal

POLL_SECONDS = 2.0  # each poll costs the API server 50 ms on top of the night's own work
OVER = {"success", "failed", "skipped", "upstream_failed", "removed"}
SHOWN = {"success", "failed", "skipped", "up_for_retry"}
COLOURS = {"success": "green", "failed": "red", "running": "cyan", "up_for_retry": "yellow"}

Tasks = list[dict[str, Any]]


def follow(client: AirflowClient, run_path: str, check: Callable[[], None] = lambda: None) -> tuple[str, Tasks]:
    """Polls the run until it is over; returns its state and its task instances.

    `check` raises when there is nothing left that could end the run: a scheduler that died says nothing.
    """
    if terminal().isatty():
        with Live(console=Console(file=terminal()), refresh_per_second=2, transient=False) as live:
            return _poll(client, run_path, lambda tasks: live.update(table(tasks)), check)
    return _poll(client, run_path, Lines(), check)


def table(tasks: Tasks) -> Table:
    """The tasks that have started, in order, and how many are to come."""
    shown = Table("task", "state", Column("seconds", justify="right"), box=None)
    for task in _started(tasks):
        colour = COLOURS.get(task["state"], "white")
        shown.add_row(escape(plain(name(task))), Text(str(task["state"]), style=colour), f"{seconds(task):.1f}")
    waiting = sum(task["state"] not in OVER and not task["start_date"] for task in tasks)
    shown.caption = f"{waiting} tasks to come" if waiting else None
    return shown


class Lines:
    """Prints one line for each task that ends."""

    def __init__(self) -> None:
        self._printed: set[str] = set()

    def __call__(self, tasks: Tasks) -> None:
        for task in _started(tasks):
            line = f"{name(task):32} {task['state']:16} try {task['try_number']}"
            began = task["state"] in SHOWN and task["try_number"]
            if began and line not in self._printed:
                self._printed.add(line)
                print(f"{line} {seconds(task):7.1f} s", flush=True)


def name(task: dict[str, Any]) -> str:
    """`score.job[1]` for a mapped task, else its id."""
    mapped = f"[{task['map_index']}]" if task["map_index"] >= 0 else ""
    return f"{task['task_id']}{mapped}"


def seconds(task: dict[str, Any]) -> float:
    """How long the task took, or has been running."""
    if task["duration"] is not None and task["end_date"]:
        return float(task["duration"])
    began = datetime.fromisoformat(task["start_date"])
    return (datetime.now(UTC) - began).total_seconds()


def _poll(client: AirflowClient, run_path: str, show: Any, check: Callable[[], None]) -> tuple[str, Tasks]:
    while True:
        check()
        try:
            state = client.get(run_path)["state"]
            tasks = client.get(f"{run_path}/taskInstances?limit=1000")["task_instances"]
        except httpx.HTTPError as error:
            check()  # says more, where the API server has ended
            raise OrchestrationError(f"Airflow does not answer: {error}; see its logs and run again") from None
        show(tasks)
        if state in ("success", "failed"):
            return str(state), tasks
        time.sleep(POLL_SECONDS)


def _started(tasks: Tasks) -> Tasks:
    started = [task for task in tasks if task["start_date"]]
    return sorted(started, key=lambda task: (task["start_date"], task["task_id"]))
