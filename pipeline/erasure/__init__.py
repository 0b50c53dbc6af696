"""Erasing persons: everything below the home that tells of them, proved by a search."""
