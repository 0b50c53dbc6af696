"""Tidemark in Airflow's UI: a page in the navigation, and the nightly report on each run.

Airflow reads this folder by itself (`AIRFLOW__CORE__PLUGINS_FOLDER`). Every process of Airflow
loads it, each task too, so what is behind it is imported on the first visit of a page alone.
"""

from airflow.plugins_manager import AirflowPlugin

from pipeline.airflow.report_pages import PREFIX, ReportPages, checked_hosts

ICON = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24' fill='none' stroke='{colour}' stroke-width='1.8' stroke-linecap='round'%3E%3Cpath d='M3 9c3-3 6-3 9 0s6 3 9 0M3 15c3-3 6-3 9 0s6 3 9 0'/%3E%3C/svg%3E"  # noqa: E501
ICONS = {
    "icon": ICON.format(colour="%230f9aa0"),
    "icon_dark_mode": ICON.format(colour="%23e2e8f0"),
}


class TidemarkReports(AirflowPlugin):
    """Where a person finds what a night was about."""

    name = "tidemark_reports"
    fastapi_apps = [{"app": ReportPages(), "url_prefix": PREFIX, "name": "Tidemark reports"}]  # noqa: RUF012
    fastapi_root_middlewares = [{"middleware": checked_hosts, "name": "Tidemark allowed hosts"}]  # noqa: RUF012
    external_views = [  # noqa: RUF012
        {
            "name": "Tidemark",
            "href": f"{PREFIX}/",
            "destination": "nav",
            "url_route": "tidemark",
            "nav_top_level": True,
            **ICONS,
        },
        {
            "name": "Nightly report",
            "href": f"{PREFIX}/runs/{{DAG_ID}}/{{RUN_ID}}",
            "destination": "dag_run",
            "url_route": "nightly-report",
            **ICONS,
        },
    ]
