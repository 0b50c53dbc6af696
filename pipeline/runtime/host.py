"""Run programs one after the other in a process that has imported, or started, what they need.

    python -m pipeline.runtime.host REPLIES PROGRAM MODULE …

imports the modules, then runs `python -m PROGRAM …` for each order in a fork of itself. Importing takes longer than a
program of ours works on a small day. A fork of a process with one thread and no connection is as good as a new process.

An order is a JSON object on a line of standard input: `command` and `log`. The answer, `{"code": …, "peak_mb": …}`, is
a line on the file descriptor REPLIES. Other servers of orders call `serve`.
"""

import atexit
import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from pipeline.runtime import program

END_SECONDS = 10.0


class Host:
    """The commands that begin with `prefix`, run by the server that `module` is; it starts with the first.

    It runs one at a time. A command that it is not for, or that comes while it is busy, has to start by itself.
    """

    def __init__(self, prefix: Sequence[str], module: str, *arguments: str) -> None:
        self._prefix = list(prefix)
        self._server = [sys.executable, "-m", module]
        self._arguments = arguments
        self._process: subprocess.Popen[str] | None = None
        self._busy = threading.Lock()

    def start(self, command: list[str], environment: Mapping[str, str], log: Path) -> "Host | None":
        """Gives the command to the server; None when it has to start by itself."""
        length = len(self._prefix)
        if command[:length] != self._prefix or not self._busy.acquire(blocking=False):
            return None
        log.touch()
        self.begin(environment)
        assert self._process is not None and self._process.stdin is not None, "it has begun"
        with suppress(BrokenPipeError):  # it has ended, which `wait` says
            print(json.dumps({"command": command[length:], "log": str(log)}), file=self._process.stdin, flush=True)
        return self

    def begin(self, environment: Mapping[str, str]) -> None:
        """Starts the server, unless it runs."""
        if self._process:
            return
        reading, writing = os.pipe()
        self._replies = os.fdopen(reading)
        self._process = subprocess.Popen(
            [*self._server, str(writing), *self._arguments],
            env=environment,
            cwd=program.PROJECT,
            stdin=subprocess.PIPE,
            pass_fds=[writing],
            process_group=0,
            text=True,
        )
        os.close(writing)

    def end(self) -> None:
        """Ends the command, and the server with all that it started."""
        if self._process:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGTERM)

    def wait(self) -> tuple[int, int]:
        """Exit code and peak in MB of the command; the server's own code and 0 when it ended instead."""
        assert self._process is not None, "a command was started"
        try:
            if reply := self._replies.readline():
                answer = json.loads(reply)
                return answer["code"], answer["peak_mb"]
            process, self._process = self._process, None
            return process.wait() or 1, 0
        finally:
            self._busy.release()

    def close(self) -> None:
        """Ends the server once it has nothing to do."""
        if process := self._process:
            self._process = None
            assert process.stdin is not None, "it is a pipe"
            with suppress(BrokenPipeError):
                process.stdin.close()
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def serve(replies: int, run: Callable[[list[str], str], tuple[int, int]]) -> None:
    """Answers orders to the end of standard input; `run` takes a command and its log."""
    with os.fdopen(replies, "w", buffering=1) as answers:
        for line in sys.stdin:
            order = json.loads(line)
            code, peak_mb = run(order["command"], order["log"])
            answers.write(json.dumps({"code": code, "peak_mb": peak_mb}) + "\n")


def exit_code(run: Callable[[], object]) -> int:
    """What a program that does this would end with."""
    try:
        run()
        return 0
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except Exception:
        sys.excepthook(*sys.exc_info())
        return 1


def _in_a_fork(module: str, command: list[str], log: str) -> tuple[int, int]:
    child = os.fork()
    if child:
        _, status, usage = os.wait4(child, 0)
        return os.waitstatus_to_exitcode(status), usage.ru_maxrss // 1024
    code = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # orders are the server's
        program.output_to(log)
        sys.argv = [module, *command]
        code = exit_code(lambda: runpy.run_module(module, run_name="__main__", alter_sys=True))
        atexit._run_exitfuncs()
    finally:
        os._exit(code)  # the child must not go on as a server


def main() -> None:
    replies, module, *imported = sys.argv[1:]
    for name in imported:
        importlib.import_module(name)
    serve(int(replies), partial(_in_a_fork, module))


if __name__ == "__main__":
    main()
