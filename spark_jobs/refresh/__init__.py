"""Transforms of the intraday refresh: the night's own, for the users whom it touches."""
