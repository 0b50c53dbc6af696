"""Start Spark's Java without what it prints of itself before any setting is read."""

import os
import re
import threading
from collections.abc import Mapping

from pyspark import SparkConf, SparkContext
from pyspark.java_gateway import launch_gateway

# Java warns of the vector module that Spark asks for, and has no option not to.
NOISE = re.compile(rb"WARNING: Using incubator modules: |(Picked up|NOTE: Picked up) ")
LAST_LINES_SECONDS = 2.0


def start_java(options: Mapping[str, str]) -> None:
    """Starts the Java process that sessions of this process use, unless one runs; its errors pass a filter.

    `options` are those of Java, such as the heap, which it must know when it starts.
    """
    if SparkContext._gateway is not None:
        return
    reading, writing = os.pipe()
    passing = threading.Thread(target=_pass_on, args=(reading,), daemon=True)
    passing.start()
    try:
        gateway = launch_gateway(SparkConf(loadDefaults=False).setAll(list(options.items())), {"stderr": writing})
    except Exception:
        os.close(writing)
        passing.join(LAST_LINES_SECONDS)  # why it did not start
        raise
    os.close(writing)
    SparkContext._ensure_initialized(gateway=gateway)


def _pass_on(reading: int) -> None:
    """Standard error of Java, line by line, until it ends."""
    with os.fdopen(reading, "rb") as lines:
        for line in lines:
            if not NOISE.match(line):
                os.write(2, line)
