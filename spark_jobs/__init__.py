"""Spark jobs: one entrypoint per job, transforms from DataFrame to DataFrame."""
