"""What keeps strangers out of a Spark job: where it listens, whom it answers, where its temporary data lies."""

import os
from pathlib import Path

from pyspark import SparkConf

from pipeline.runtime.private import scratch_folder

LOOPBACK = "127.0.0.1"


def is_local(master: str) -> bool:
    """Whether the job runs in one process on this machine; `local-cluster` does not."""
    return master == "local" or master.startswith("local[")


def protection(master: str, home: Path) -> dict[str, str]:
    """Spark's options for a job of the home.

    On this machine the driver and its block service listen on loopback, ask for a secret that Spark makes for the
    session, and keep shuffled rows in the home. On a cluster processes authenticate and encrypt what they send and
    keep; YARN and Kubernetes make the secret, a standalone cluster has `spark.authenticate.secret`.
    """
    if is_local(master):
        named = "SPARK_LOCAL_DIRS" in os.environ  # goes before the option, so a folder would stay empty
        return {
            "spark.authenticate": "true",
            "spark.driver.bindAddress": LOOPBACK,
            "spark.driver.host": LOOPBACK,
            **({} if named else {"spark.local.dir": str(scratch_folder(home))}),
        }
    return {
        "spark.authenticate": "true",
        "spark.network.crypto.enabled": "true",
        "spark.io.encryption.enabled": "true",
    }


def unless_given(options: dict[str, str], given: SparkConf) -> dict[str, str]:
    """The options that whoever submitted the job has not set: a cluster's own settings win."""
    return {name: value for name, value in options.items() if not given.contains(name)}
