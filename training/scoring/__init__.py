"""Scoring all users of a night: rows of `user_features`, with `reasons/`."""
