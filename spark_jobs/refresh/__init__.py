"""Transforms of the intraday refresh: those of the night, for the users it touches."""
