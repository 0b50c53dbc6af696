"""Run one bench, list them, or print the headline table.

    python -m tests.bench                            the headline, in at most 10 minutes on two cores
    python -m tests.bench --list                     every bench, one line each
    python -m tests.bench uplift cost 50000          one bench with its own arguments
    python -m tests.bench uplift --help              what a bench measures and needs

The headline also writes docs/reference/performance.md, with the machine's own ceilings.
"""

import importlib
import sys

from tests.bench import catalogue

USAGE = 2


def main() -> None:
    name, *arguments = sys.argv[1:] or [""]
    if name in ("-h", "--help"):
        print(__doc__)
    elif name == "--list":
        width = max(map(len, catalogue.names()))
        for known in catalogue.names():
            print(f"{known:{width}}  {catalogue.summary(known)}")
    elif not name:
        from tests.bench import headline

        headline.main()
    elif name in catalogue.names():
        sys.argv = [f"python -m tests.bench {name}", *arguments]
        importlib.import_module(f"tests.bench.{catalogue.PREFIX}{name}").main()
    else:
        print(catalogue.nearest(name), file=sys.stderr)
        sys.exit(USAGE)


if __name__ == "__main__":
    main()
