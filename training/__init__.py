"""Item encoding, the interest model, its evaluation and promotion, and nightly scoring."""

import os

# Models are read from packages and paths: nothing is looked up on a network.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
