"""The command line: the frozen commands and options, help, completion, exit codes, one clear last line."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from pipeline.commands import cli
from pipeline.commands.cli import COMPLETE, app
from pipeline.commands.declare import PROGRAM, paths
from pipeline.runtime import program
from pipeline.runtime.errors import AuditError

CONTRACT = {
    "nightly": "--ds --allow-empty --incomplete",
    "run": "--from --to --until --allow-empty --model-version --incomplete",
    "refresh": "--hour --run",
    "base-night": "--hour",
    "release": "--table --run",
    "accept": "PLATFORM --ds --reason",
    "audit": "--table --run",
    "publish": "--table --run",
    "build-report": "--ds --run",
    "summary": "--ds",
    "maintenance": "--dry-run --older-catalogue",
    "up": "",
    "down": "",
    "airflow": "COMMAND",
    "source check": "FILE --ds --compare --html",
    "source new": "NAME FILE --template --write",
    "source templates": "",
    "source import": "NAME FILE",
    "sample": "--out --events --days --seed --pictures --last-day",
    "tables": "TABLE",
    "read": "TABLE --ds --out",
    "history": "TABLE",
    "rollback": "TABLE --ds",
    "unpublish": "TABLE --ds",
    "stale": "",
    "repair": "--from --to --dry-run --vanished",
    "status": "",
    "metrics": "--port --host",
    "user": "ID --ds --json",
    "erase": "USER --reason --former-key",
    "features page": "",
    "features release": "",
    "features feast": "",
    "online load": "--ds --run --force",
    "online rollback": "",
    "online patch": "--hour --run",
    "ads policy": "--ds --run",
    "ads interventions": "--ds --run",
    "ads uplift": "--ds --run",
    "ads simulate": "--out --seeds",
    "segments build": "--ds --run",
    "experiment report": "--ds --name --run",
}
HEAVY = ("airflow", "duckdb", "feast", "mlflow", "numpy", "pandas", "polars", "pyarrow", "pyiceberg", "pyspark", "rich")
ROOT: Any = typer.main.get_command(app)
COMMANDS = paths(ROOT)


def call(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TIDEMARK_HOME": str(home), **environment},
    )


def parameters(command: Any) -> str:
    """The arguments and options as they are typed."""
    return " ".join(
        it.opts[0] if it.param_type_name == "option" else it.metavar for it in command.params if it.name != "help"
    )


def help_text(words: list[str]) -> str:
    """What `--help` of a command or group prints."""
    command, context = ROOT, ROOT.context_class(ROOT, info_name=PROGRAM)
    for word in words:
        command = command.commands[word]
        context = command.context_class(command, info_name=word, parent=context)
    return command.get_help(context)


def test_the_commands_and_their_options_are_frozen() -> None:
    assert {path: parameters(command) for path, command in COMMANDS.items()} == CONTRACT


@pytest.mark.parametrize(
    "path", ["", "source", "features", "online", "ads", "segments", "experiment", *sorted(CONTRACT)]
)
def test_every_help_shows_what_it_does_and_one_example_that_parses(path: str) -> None:
    text = help_text(path.split())
    assert text.startswith(f"usage: {PROGRAM} {path}".rstrip())
    assert "  example:\n" in text
    [example] = re.findall(rf"^ +{re.escape(PROGRAM)} (.+)$", text.split("example:")[1], re.M)
    words, command = shlex.split(example), ROOT
    assert example.startswith(path)
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    command.make_context("example", words)  # raises when it does not parse


@pytest.mark.parametrize("command", ["nightly", "read", "ads policy"])
def test_help_is_printed_by_the_program(command: str, tmp_path: Path) -> None:
    done = call(tmp_path, *command.split(), "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: python -m pipeline {command}")


@pytest.mark.parametrize("arguments", [("--help",), ("nightly", "--help"), ("ads", "uplift", "--help"), ("reed",)])
def test_help_and_wrong_usage_import_nothing_heavy(arguments: tuple[str, ...], tmp_path: Path) -> None:
    text = (
        "import atexit, runpy, sys\n"
        f"atexit.register(lambda: print([name for name in {HEAVY!r} if name in sys.modules], flush=True))\n"
        f"sys.argv = ['pipeline', *{arguments!r}]\n"
        "runpy.run_module('pipeline', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "[]", done.stdout + done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("ads",),
        ("reed",),
        ("read",),
        ("read", "no_such_table"),
        ("read", "events", "--ds", "9.11.2011"),
        ("run", "--from", "2011-11-09", "--to", "2011-11-07"),
        ("run", "--from", "2011-11-07", "--to", "2011-11-09", "--until", "scor"),
        ("rollback", "events"),
        ("sample", "--out", "x", "--events", "0"),
    ],
)
def test_wrong_usage_exits_2(arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = call(tmp_path, *arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "error:" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("reed", "no such command 'reed'; did you mean 'read'?"),
        ("experiment reprot", "no such command 'reprot'; did you mean 'experiment report'?"),
        ("load_online", "no such command 'load_online'; did you mean 'online load'?"),
        ("xyzzy", "no such command 'xyzzy'"),
        ("read events --dss 2011-11-09", "no such option --dss; did you mean '--ds'?"),
        ("read events -ds 2011-11-09", "no such option -d; did you mean '--ds'?"),
        ("run --frmo 2011-11-09", "no such option --frmo; did you mean '--from'?"),
    ],
)
def test_the_nearest_name_is_suggested(typed: str, said: str, monkeypatch, capsys) -> None:
    monkeypatch.setattr("sys.argv", ["pipeline", *typed.split()])
    with pytest.raises(SystemExit) as end:
        program.run(cli.main)
    assert end.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"error: {said}"


def test_a_shell_completes_commands_and_options(tmp_path: Path) -> None:
    def complete(words: str) -> list[str]:
        count = str(len(words.split(" ")) - 1)
        done = call(tmp_path, **{COMPLETE: "complete_bash", "COMP_WORDS": words, "COMP_CWORD": count})
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    assert complete("tidemark re") == ["refresh", "release", "repair", "read"]
    assert set(complete("tidemark ads ")) == {"policy", "interventions", "uplift", "simulate"}
    assert complete("tidemark read --o") == ["--out"]
    script = call(tmp_path, "--show-completion", "bash", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert script.returncode == 0, script.stderr
    assert script.stdout.rstrip().endswith(" tidemark"), "shells complete the installed program"


def test_the_installed_program_is_called_by_its_name(monkeypatch, capsys) -> None:
    monkeypatch.setattr("sys.argv", ["/somewhere/bin/tidemark", "ads", "simulate"])
    with pytest.raises(SystemExit):
        program.run(cli.main)
    assert capsys.readouterr().err.startswith("usage: tidemark ads simulate ")


def test_airflow_gets_its_words_as_they_are(home, monkeypatch) -> None:
    started: list[list[str]] = []

    def execve(program: str, words: list[str], variables: dict[str, str]) -> None:
        started.append(words)
        assert variables["TIDEMARK_HOME"] == str(home.home)

    monkeypatch.setattr("os.execve", execve)
    for words in (["backfill", "create", "--help", "--dag-id", "x"], ["--version"]):
        monkeypatch.setattr("sys.argv", ["pipeline", "airflow", *words])
        with pytest.raises(SystemExit):
            cli.main()
        assert started[-1][1:] == words


def test_a_failed_audit_exits_4(home, monkeypatch, capsys) -> None:
    def fail(settings: object, tables: list[Any], run: str) -> None:
        raise AuditError(f"{tables[0].name}: broken in {run}")

    monkeypatch.setattr("pipeline.storage.release.release", fail)
    monkeypatch.setattr("sys.argv", ["pipeline", "release", "--table", "events", "--run", "r1"])
    with pytest.raises(SystemExit) as end:
        program.run(cli.main)
    assert end.value.code == 4
    assert capsys.readouterr().err == "error: events: broken in r1\n"


def test_failure_exits_1_with_one_clear_last_line(tmp_path: Path) -> None:
    done = call(tmp_path, "read", "events", "--ds", "2011-11-09")
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["error: events: nothing has been published yet; see `status`"]


def test_a_mistyped_setting_is_named(tmp_path: Path) -> None:
    done = call(tmp_path, "tables", TIDEMARK_ACTIV_DAYS="30")
    assert done.returncode == 1
    said = "error: unknown setting TIDEMARK_ACTIV_DAYS, did you mean TIDEMARK_ACTIVE_DAYS?: expected one of"
    assert done.stderr.startswith(said)


def test_a_setting_out_of_range_is_named(tmp_path: Path) -> None:
    done = call(tmp_path, "tables", TIDEMARK_ACTIVE_DAYS="none")
    assert done.returncode == 1
    assert "TIDEMARK_ACTIVE_DAYS" in done.stderr
    assert "found 'none'" in done.stderr


def test_two_homes_share_nothing(tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert call(tmp_path / name, "tables").returncode == 0
    assert {path.name for path in tmp_path.iterdir()} == {"one", "two"}
