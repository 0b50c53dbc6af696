"""The Spark session that every job runs in."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress

import pyarrow as pa
from pyspark import SparkConf, SparkContext
from pyspark.logger import PySparkLogger
from pyspark.sql import SparkSession

from pipeline.orchestration.step_commands import UNPACKED, executor_options, java_options
from pipeline.runtime.settings import Settings
from spark_jobs.engine.closed import is_local, protection, unless_given
from spark_jobs.engine.gateway import start_java

BATCH_ROWS = "spark.sql.execution.arrow.maxRecordsPerBatch"
WIDE_ROWS = 1024  # of a whole history each, 100 kB at most
WORKERS = "spark_jobs.engine.workers"
QUERY_LOGGERS = ("SQLQueryContextLogger", "DataFrameQueryContextLogger")  # print as JSON what is raised as well


def open_session(settings: Settings, name: str) -> SparkSession:
    """A session with UTC timestamps, Arrow and adaptive plans.

    Master, memory and Java options given by spark-submit win over the settings. ANSI mode is off: a source's expression
    that cannot be evaluated gives NULL, which ends in quarantine instead of ending the night.
    """
    for logger in QUERY_LOGGERS:
        PySparkLogger.getLogger(logger).disabled = True
    builder = (
        SparkSession.builder.appName(name)
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.ansi.enabled", "false")
        .config("spark.sql.mapKeyDedupPolicy", "LAST_WIN")
        # Else NULLIF, BETWEEN and the like hide their parts from what tries them row by row (landing/strict.py).
        .config("spark.sql.alwaysInlineCommonExpr", "true")
        .config("spark.sql.execution.arrow.pyspark.enabled", "true")
        # With a limit of bytes Spark sizes every column again for each row, which took most of the time.
        .config("spark.sql.execution.arrow.maxBytesPerBatch", (1 << 31) - 1)
        .config(BATCH_ROWS, 4096)
        .config("spark.python.daemon.module", WORKERS)
        .config("spark.sql.adaptive.enabled", "true")
        .config("spark.sql.shuffle.partitions", settings.spark_partitions)
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")  # a bar in every log, below INFO
        .config("spark.sql.parquet.inferTimestampNTZ.enabled", "false")
    )
    if SparkSession.getActiveSession() is None:
        given = _submitted_with()
        master = given.get("spark.master", settings.spark_master) or settings.spark_master
        options = protection(master, settings.home)
        if settings.spark_archives and not is_local(master):
            os.environ["PYSPARK_PYTHON"] = f"./{UNPACKED}/bin/python"
        # Workers of a local session run this interpreter; a cluster's own setting wins.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        builder = builder.config(map={**unless_given(options, given)})
        if not _submitted():
            java = {
                "spark.master": settings.spark_master,
                "spark.driver.memory": settings.spark_memory,
                "spark.driver.extraJavaOptions": java_options(settings),
                **executor_options(settings),
            }
            start_java(java)
            builder = builder.config(map={**java})
        spark = builder.getOrCreate()
        threading.Thread(target=_warm_up, args=(spark,), daemon=True).start()
        return spark
    return builder.getOrCreate()


def expect_wide_rows(spark: SparkSession) -> None:
    """Hands Python fewer rows at once: of whole histories, as many as of others would not fit next to the heap."""
    spark.conf.set(BATCH_ROWS, WIDE_ROWS)


def _warm_up(spark: SparkSession) -> None:
    """Starts the first Python worker while the job looks at its inputs and plans, which takes as long."""
    with suppress(Exception):  # the job itself meets it again
        spark.range(0, 1, 1, 1).mapInArrow(_unchanged, "id long").toArrow()


def _unchanged(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    return batches


def _submitted_with() -> SparkConf:
    """What spark-submit was given, which the JVM that it started knows; nothing without it."""
    if _submitted():
        SparkContext._ensure_initialized()
        return SparkConf()
    return SparkConf(loadDefaults=False)


def _submitted() -> bool:
    """Whether spark-submit has already chosen a master and a driver heap."""
    return "PYSPARK_GATEWAY_PORT" in os.environ
