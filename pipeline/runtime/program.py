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
from collections.abc import Callable
from pathlib import Path

from pipeline.runtime.days import day_range
from pipeline.runtime.errors import TidemarkError, UsageError

DISK_FULL = "No space left on device"
PROJECT = Path(__file__).resolve().parents[2]
PACKAGES = {"pipeline", "spark_jobs", "training"}

_ended: list[int] = []  # the exit code, once known


def run(main: Callable[[], None]) -> None:
    """Runs `main`; an error that nobody foresaw keeps its traceback."""
    gc.freeze()  # modules stay to the end
    gc.enable()
    try:
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
        # Also from a Spark worker or the JVM, which wrap the system's words in their own.
        if DISK_FULL in str(error):
            _end(1, f"{DISK_FULL}: free some and run again; nothing half-written is visible")
        raise


def _end(code: int, message: str) -> None:
    print(f"error: {message}", file=sys.stderr)
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


if _is_program():
    gc.disable()
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
