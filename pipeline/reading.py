"""Deprecated, gone with the next release: `home = pipeline.open()`, then `home.read`, `home.scan`, `home.files`."""

import warnings

from pipeline.storage.reading import as_declared, pinned_files, published, read, scan

__all__ = ["as_declared", "pinned_files", "published", "read", "scan"]

warnings.warn(
    "pipeline.reading goes with the next release: use `home = pipeline.open()`, then home.read, home.scan, home.files",
    DeprecationWarning,
    stacklevel=2,
)
