"""Contracts and everything that is neither Spark nor torch."""
