"""Show how far Spark's work is, once it takes longer than some seconds."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pyspark import SparkContext

from pipeline.runtime.progress import EVERY_SECONDS, Progress


@contextmanager
def watching() -> Iterator[None]:
    """Meanwhile shows, from a thread of its own, how many tasks of the stages that run are done."""
    ended = threading.Event()
    threading.Thread(target=_watch, args=(ended,), daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def _watch(ended: threading.Event) -> None:
    progress = Progress(every=0)
    while not ended.wait(EVERY_SECONDS):
        context = SparkContext._active_spark_context
        try:
            tracker = context.statusTracker() if context else None
            infos = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()] if tracker else []
        except Exception:  # the session is ending; how its work ends is the program's to say
            continue
        if running := [info for info in infos if info is not None]:
            done, tasks = (sum(getattr(it, name) for it in running) for name in ("numCompletedTasks", "numTasks"))
            progress.show(f"{done} of {tasks} tasks done")
