"""How programs end: exit code and one clear last line, also on a disk that is full."""

import errno
import gc
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from pipeline.runtime import program
from pipeline.runtime.errors import AuditError, UsageError


def raising(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UsageError("days: expected one"), 2, "error: days: expected one"),
        (AuditError("events: broken"), 1, "error: events: broken"),
        (KeyboardInterrupt(), 1, "error: interrupted"),
        (
            RuntimeError("java.io.IOException: No space left on device"),
            1,
            "error: No space left on device: free some and run again; nothing half-written is visible",
        ),
        (
            OSError(errno.EROFS, "Read-only file system", "/srv/home/staging"),
            1,
            "error: /srv/home/staging: Read-only file system; mount it writable for this user",
        ),
        (
            OperationalError("COMMIT", {}, sqlite3.OperationalError("attempt to write a readonly database")),
            1,
            "error: the home: Read-only file system; mount it writable for this user",
        ),
        (
            OperationalError("COMMIT", {}, sqlite3.OperationalError("database or disk is full")),
            1,
            "error: No space left on device: free some and run again; nothing half-written is visible",
        ),
        (
            OperationalError("COMMIT", {}, sqlite3.OperationalError("database is locked")),
            1,
            "error: catalogue: another program has held its lock for longer than is waited; run again "
            "(database is locked)",
        ),
        (
            OperationalError("SELECT 1", {}, Exception("connection to server failed: refused\n\tIs it running?\n")),
            1,
            "error: catalogue: its database is out of reach (connection to server failed: refused); start it, or "
            "correct TIDEMARK_CATALOG_URI",
        ),
    ],
)
def test_ends_with_one_line(error: BaseException, code: int, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        program.run(lambda: raising(error))
    assert end.value.code == code
    assert capsys.readouterr().err == line + "\n"


def test_an_unforeseen_error_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        program.run(lambda: print(1 / 0))


PROGRAM = """
import atexit, gc, sys, threading, time
from pipeline.runtime import program

def late():
    time.sleep(0.2)
    print("a thread")

def main():
    assert gc.isenabled()
    threading.Thread(target=late).start()
    atexit.register(print, "last words")
    print("done")
    if sys.argv[1:]:
        raise program.UsageError("not so")

assert not gc.isenabled()
program.run(main)
"""


@pytest.mark.parametrize(("arguments", "code", "error"), [([], 0, ""), (["x"], 2, "not so")])
def test_a_program_leaves_nothing_undone(
    arguments: list[str], code: int, error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = f"__file__ = {str(program.PROJECT / 'pipeline' / 'made_up.py')!r}"
    command = [sys.executable, "-c", called + PROGRAM, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (code, "done\na thread\nlast words\n"), done.stderr
    assert done.stderr == (f"error: {error}\n" if error else "")


def test_who_imports_us_keeps_the_collector_of_garbage() -> None:
    program.run(lambda: None)
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("cannot mount a small file system here")
    yield tmp_path
    subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def test_a_full_disk_is_one_clear_line(full_disk: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pipeline",
            "sample",
            "--out",
            str(full_disk / "landing"),
            "--events",
            "100000",
            "--days",
            "5",
        ],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TIDEMARK_HOME": str(full_disk)},
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: No space left on device")
