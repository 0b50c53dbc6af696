"""Erasing persons: everything below the home about them, proved by a search."""
