"""Addresses of the evidence that tasks link to: Data Docs, MLflow runs, nightly reports."""

from urllib.parse import quote

from pipeline.airflow.report_pages import PREFIX
from pipeline.runtime.settings import load_settings

EXPERIMENT = 1  # MLflow numbers experiments from 0 (its default one)


def data_docs(table: str, run: str) -> str:
    """The page of one audit, on the server that `up` starts."""
    from pipeline.storage.audit.data_docs import data_docs_page

    settings = load_settings()
    page = data_docs_page(settings, table, run).relative_to(settings.reports)
    return f"http://127.0.0.1:{settings.docs_port}/{quote(str(page))}"


def mlflow_run(run: str) -> str:
    """The experiment, filtered to the run of this night."""
    settings = load_settings()
    search = quote(f"tags.`tidemark.run` = '{run}'")
    base = f"http://127.0.0.1:{settings.mlflow_port}"
    view = "workflowType=machine_learning"
    return f"{base}/#/experiments/{EXPERIMENT}/runs?searchFilter={search}&{view}"


def nightly_report(ds: str) -> str:
    """The page of a night, as Airflow itself serves it (plugins/tidemark_reports.py)."""
    return f"{PREFIX}/nightly/{quote(ds)}.html"
