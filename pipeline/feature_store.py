"""Deprecated, gone with the next release: `pipeline.open().feast`."""

import warnings

from pipeline.features.feast import open_feature_store

__all__ = ["open_feature_store"]

warnings.warn(
    "pipeline.feature_store goes with the next release: use `home = pipeline.open()`, then home.feast",
    DeprecationWarning,
    stacklevel=2,
)
