"""Import Great Expectations without the dependencies that an audit never calls.

It imports Spark when that is installed, and scipy's statistics for expectations that no rule of ours uses: a third of
its 2 s.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import LazyLoader, find_spec, module_from_spec

UNUSED = "pyspark"  # GX does without it
ON_DEMAND = "scipy.stats"  # GX does not: it is loaded on first use


@contextmanager
def lean() -> Iterator[None]:
    """What is imported within finds no Spark, and statistics that load on demand."""
    _put_off(ON_DEMAND)
    hidden = UNUSED not in sys.modules
    if hidden:
        sys.modules[UNUSED] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if hidden:
            del sys.modules[UNUSED]


def _put_off(name: str) -> None:
    """The recipe for lazy imports from Python's manual."""
    if name in sys.modules:
        return
    parent, _, child = name.rpartition(".")
    spec = find_spec(name)
    assert spec is not None and spec.loader is not None, "installed by requirements.txt"
    spec.loader = LazyLoader(spec.loader)
    module = sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    setattr(sys.modules[parent], child, module)
