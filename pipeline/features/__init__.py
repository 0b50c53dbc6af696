"""What readers use: features as of a moment, the online store, Feast.

`features.as_of` and `features.MAX_AGE` are deprecated and will be removed in the next release: `pipeline.open().as_of`.
"""

import warnings
from typing import Any


def __getattr__(name: str) -> Any:
    """The names of the module `pipeline.features` of the previous release."""
    if name not in ("as_of", "MAX_AGE"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pipeline.features import as_of_join

    warnings.warn(
        f"pipeline.features.{name} goes with the next release: use `home = pipeline.open()`, then home.as_of",
        DeprecationWarning,
        stacklevel=2,
    )
    return getattr(as_of_join, name)
