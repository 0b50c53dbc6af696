"""The command line: the frozen set of commands, exit codes, one clear last line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.commands.cli import COMMANDS

CONTRACT = {
    "nightly",
    "run",
    "source",
    "sample",
    "tables",
    "read",
    "history",
    "rollback",
    "status",
    "user",
    "erase",
}


def call(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TIDEMARK_HOME": str(home), **environment},
    )


def test_the_set_of_commands_is_frozen() -> None:
    assert set(COMMANDS) == CONTRACT


@pytest.mark.parametrize("command", sorted(CONTRACT))
def test_every_command_explains_itself(command: str, tmp_path: Path) -> None:
    done = call(tmp_path, command, "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: python -m pipeline {command}")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("reed",),
        ("read",),
        ("read", "no_such_table"),
        ("read", "events", "--ds", "9.11.2011"),
        ("run", "--from", "2011-11-09", "--to", "2011-11-07"),
        ("rollback", "events"),
    ],
)
def test_wrong_usage_exits_2(arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = call(tmp_path, *arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "error:" in done.stderr.splitlines()[-1]


def test_failure_exits_1_with_one_clear_last_line(tmp_path: Path) -> None:
    done = call(tmp_path, "read", "events", "--ds", "2011-11-09")
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["error: events: nothing has been published yet; see `status`"]


def test_a_mistyped_setting_is_named(tmp_path: Path) -> None:
    done = call(tmp_path, "tables", TIDEMARK_ACTIV_DAYS="30")
    assert done.returncode == 1
    assert done.stderr.startswith("error: unknown setting TIDEMARK_ACTIV_DAYS: expected one of")


def test_a_setting_out_of_range_is_named(tmp_path: Path) -> None:
    done = call(tmp_path, "tables", TIDEMARK_ACTIVE_DAYS="none")
    assert done.returncode == 1
    assert "TIDEMARK_ACTIVE_DAYS" in done.stderr
    assert "found 'none'" in done.stderr


def test_two_homes_share_nothing(tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert call(tmp_path / name, "tables").returncode == 0
    assert {path.name for path in tmp_path.iterdir()} == {"one", "two"}
