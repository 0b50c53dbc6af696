"""From which day an event counts.

A file of day D may hold events that are dated after the end of D: clocks run ahead, and some platforms cut their files
at another hour. Such an event belongs to D, which landed it, but it has not happened when D is over: states of D must
not know it, or a label of the next morning would see it. So it counts from the next day on (`known_ds`).
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pipeline.runtime.days import shift
from pipeline.storage.inputs import LOG_BEGINS
from pipeline.tables.schema import Table
from spark_jobs.engine.job import SparkJob


def known_day() -> Column:
    """The day from which a row of `events` or `raw_events` counts. Days from before `known_ds` have none."""
    return F.coalesce("known_ds", "arrival_ds")


def read_known(job: SparkJob, table: Table, first: str, last: str) -> DataFrame:
    """The published rows that count from a day of [first, last]: those held back from the day before are among them."""
    before = first if first == LOG_BEGINS else shift(first, -1)
    rows = job.read_range(table, before, last)
    return rows.where(known_day().between(first, last))
