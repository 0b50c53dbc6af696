"""The process that Spark forks Python workers from, with what they all use imported once.

A task has several workers, and each would import it for itself: for as long as the work of a small day takes.
"""

from pyspark import daemon

import spark_jobs.engine.job  # noqa: F401  (what nearly every kernel's module imports)

if __name__ == "__main__":
    daemon.manager()
