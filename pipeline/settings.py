"""Deprecated, gone with the next release: `pipeline.open().settings`."""

import warnings

from pipeline.runtime.settings import Settings, load_settings

__all__ = ["Settings", "load_settings"]

warnings.warn(
    "pipeline.settings goes with the next release: use `home = pipeline.open()`, then home.settings",
    DeprecationWarning,
    stacklevel=2,
)
