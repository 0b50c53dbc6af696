"""How every program of Tidemark ends: with exit code 0, or one clear last line on standard error.

Exit code 2 is wrong usage, 1 any other failure. A program imports this module before the large
ones, because it also keeps Python from searching for garbage among what they bring.
"""

import argparse
import atexit
import gc
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from pipeline.runtime.days import day_range
from pipeline.runtime.errors import TidemarkError, UsageError
from pipeline.runtime.plain import masked, plain, plain_output
from pipeline.runtime.proxies import past_proxies

DISK_FULL = "No space left on device"
READ_ONLY = "Read-only file system"
PROJECT = Path(__file__).resolve().parents[2]
RARE_GARBAGE = (100_000, 50, 50)  # after each 700 objects, the default, it was a third of what `stale` computes
PACKAGES = {"pipeline", "spark_jobs", "training"}

_ended: list[int] = []  # the exit code, once known


def run(main: Callable[[], None]) -> None:
    """Runs `main`; an error that nobody foresaw keeps its traceback."""
    gc.freeze()  # modules stay to the end
    gc.set_threshold(*RARE_GARBAGE)
    gc.enable()
    try:
        with plain_output():
            _run(main)
        _ended.append(0)
    finally:
        gc.unfreeze()


def _run(main: Callable[[], None]) -> None:
    try:
        main()
    except UsageError as error:
        _end(2, str(error))
    except TidemarkError as error:
        _end(1, str(error))
    except PermissionError as error:
        _end(1, f"{error.filename}: no permission; make it writable for this user")
    except KeyboardInterrupt:
        _end(1, "interrupted")
    except Exception as error:
        if said := explained(error):
            _end(1, said)
        raise


def explained(error: BaseException) -> str | None:
    """One line for a fault of the machine or of a server, by whatever library it comes; None for any other error.

    Spark's workers and the JVM wrap the words of the system in their own.
    """
    text = str(error)
    if DISK_FULL in text or "database or disk is full" in text:
        return f"{DISK_FULL}: free some and run again; nothing half-written is visible"
    if READ_ONLY in text or "readonly database" in text:
        file = getattr(error, "filename", None) or "the home"
        return f"{file}: {READ_ONLY}; mount it writable for this user"
    if type(error).__module__.startswith("sqlalchemy.") and type(error).__name__ == "OperationalError":
        why = next(
            (line.strip() for line in str(getattr(error, "orig", text)).splitlines() if line.strip()), "no reason"
        )
        if "database is locked" in why:
            return f"catalogue: another program has held its lock for longer than is waited; run again ({why})"
        return f"catalogue: its database is out of reach ({why}); start it, or correct TIDEMARK_CATALOG_URI"
    return None


def _show_traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """The traceback of an error that nobody foresaw, without secrets and without what steers a terminal."""
    sys.stderr.write(plain(masked("".join(traceback.format_exception(kind, error, trace))), lines=True))


def _end(code: int, message: str) -> None:
    print(f"error: {plain(message)}", file=sys.stderr)
    _ended.append(code)
    sys.exit(code)


def _is_program() -> bool:
    """Whether Python was started with a file of ours, not with a test or a notebook."""
    file = Path(getattr(sys.modules["__main__"], "__file__", None) or "")
    return not PACKAGES.isdisjoint(file.parts) and file.is_relative_to(PROJECT)


def _leave() -> None:
    """Ends at once: taking a million objects apart one by one takes as long as importing them."""
    if _ended:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_ended[-1])


def output_to(log: str) -> None:
    """Sends what this process and those it starts print into a new file, line by line."""
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    for descriptor in (1, 2):
        os.dup2(file, descriptor)
    os.close(file)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)


if _is_program():
    gc.disable()
    sys.excepthook = _show_traceback
    os.environ.update(past_proxies())
    atexit.register(_leave)  # the first to register is the last to run


def arguments(doc: str | None) -> argparse.ArgumentParser:
    """A parser with `--run`; its description is the job's docstring."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", default=f"manual-{time.time_ns()}", help="id shared by steps")
    return parser


def add_range(parser: argparse.ArgumentParser) -> None:
    """`--ds D`, or `--from D1 --to D2`."""
    parser.add_argument("--ds", help="one day")
    parser.add_argument("--from", dest="first", help="first day of a range")
    parser.add_argument("--to", dest="last", help="last day of a range")


def wanted_days(given: argparse.Namespace) -> list[str]:
    """The days that `add_range`'s options name. Raises UsageError when they name none."""
    first, last = given.ds or given.first, given.ds or given.last
    if not first or not last:
        raise UsageError("days: expected --ds D or --from D1 --to D2")
    return day_range(first, last)
