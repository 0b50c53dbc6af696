"""One person's story, as `python -m pipeline user ID` tells it."""
