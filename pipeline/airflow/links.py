"""Addresses of the evidence that tasks link to: Data Docs, MLflow runs, nightly reports."""

from urllib.parse import quote

from pipeline.airflow import PREFIX
from pipeline.runtime.settings import load_settings

EXPERIMENT = 1  # MLflow numbers experiments from 0 (its default one)
VIEW = "workflowType=machine_learning"
HEADLINE = "viewStateShareKey=headline"  # the view that training saves with the experiment


def data_docs(table: str, run: str) -> str:
    """The page of one audit, on the server that `up` starts or where `pages_url` says."""
    from pipeline.storage.audit.data_docs import data_docs_page

    settings = load_settings()
    page = data_docs_page(settings, table, run).relative_to(settings.reports)
    return f"{settings.pages_url or f'http://127.0.0.1:{settings.docs_port}'}/{quote(str(page))}"


def mlflow_runs(port: int, host: str = "127.0.0.1") -> str:
    """The runs with their headline figures; without VIEW, MLflow opens its pages for language models."""
    return f"http://{host}:{port}/#/experiments/{EXPERIMENT}/runs?{HEADLINE}&{VIEW}"


def mlflow_run(run: str) -> str:
    """The experiment, filtered to the run of this night."""
    settings = load_settings()
    search = quote(f"tags.`tidemark.run` = '{run}'")
    return mlflow_runs(settings.mlflow_port).replace(HEADLINE, f"searchFilter={search}")


def nightly_report(ds: str) -> str:
    """The page of a night, as Airflow itself serves it (plugins/tidemark_reports.py)."""
    return f"{PREFIX}/nightly/{quote(ds)}.html"
