"""Makes the timetable of the DAGs known to Airflow: a DAG whose timetable no plugin registers cannot be stored.

An entry point of the package (pyproject.toml) and not a file of `plugins/`: so it is found wherever the package is
installed, whatever plugins folder a cluster has.
"""

from airflow.plugins_manager import AirflowPlugin

from pipeline.airflow.timetable import BusinessDays


class TidemarkTimetable(AirflowPlugin):
    """Airflow looks a stored timetable up by its class."""

    name = "tidemark_timetable"
    timetables = [BusinessDays]  # noqa: RUF012
