"""The one invariant: once nothing is stale, a home holds the rows that a fresh one makes of the same files."""
