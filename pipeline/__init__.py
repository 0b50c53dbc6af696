"""Where each user's interests stand, and which way they move: a nightly pipeline and its tables.

    import pipeline
    home = pipeline.open()
    home.read("user_features", ds="2026-03-31")

`Home` says what there is to read; `python -m pipeline` is the command line.
"""

from pipeline.home import Home
from pipeline.home import open_home as open

__all__ = ["Home", "open"]
