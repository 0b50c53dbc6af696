"""How every program of Tidemark ends: with exit code 0, or one clear last line on standard error.

Exit code 2 is wrong usage, 1 any other failure.
"""

import sys
from collections.abc import Callable

from pipeline.errors import TidemarkError, UsageError

DISK_FULL = "No space left on device"


def run(main: Callable[[], None]) -> None:
    """Runs `main`; an error that nobody foresaw keeps its traceback."""
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
    sys.exit(code)
