"""Deprecated, gone with the next release: `pipeline.open().online`."""

import warnings

from pipeline.features.online import Night, Nights, OnlineStore, open_backend, open_store

__all__ = ["Night", "Nights", "OnlineStore", "open_backend", "open_store"]

warnings.warn(
    "pipeline.online goes with the next release: use `home = pipeline.open()`, then home.online",
    DeprecationWarning,
    stacklevel=2,
)
