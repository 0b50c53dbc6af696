"""Show how far Spark's work is, once it takes longer than some seconds."""

import threading
import time

from pyspark.sql import SparkSession

from pipeline.runtime.progress import EVERY_SECONDS, Progress


def watch(spark: SparkSession) -> None:
    """Shows, from a thread of its own, how many tasks of the stages that run are done."""
    threading.Thread(target=_watch, args=(spark,), daemon=True).start()


def _watch(spark: SparkSession) -> None:
    progress, tracker = Progress(EVERY_SECONDS - 0.5), spark.sparkContext.statusTracker()
    try:
        while True:
            time.sleep(EVERY_SECONDS)
            infos = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()]
            running = [info for info in infos if info is not None]
            if running:
                done, tasks = (sum(getattr(it, name) for it in running) for name in ("numCompletedTasks", "numTasks"))
                progress.show(f"{done} of {tasks} tasks done")
    except Exception:
        return  # the session has ended, or is ending
