"""Serve Airflow, MLflow, Data Docs and reports on loopback, until `down`."""

import os
import sys

import httpx

from pipeline.airflow import servers
from pipeline.airflow.environment import address
from pipeline.airflow.links import mlflow_runs
from pipeline.airflow.servers import Server
from pipeline.airflow.start import begin, pid_folder, wait
from pipeline.orchestration.step_commands import environment
from pipeline.runtime.errors import OrchestrationError
from pipeline.runtime.settings import Settings

LOOPBACK = "127.0.0.1"
START_SECONDS = 120.0
MLFLOW = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # eight idle processes of 200 MB
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


def up(settings: Settings) -> None:
    """Starts what does not run yet and prints where it is. Stops all of it when one fails."""
    pages = page_servers(settings)
    try:
        begin(settings, scheduled=True)
        for server in pages:
            servers.start(pid_folder(settings), server)
        wait(settings)
        for server in pages:
            _wait_for_page(settings, server)
    except OrchestrationError:
        servers.stop_all(pid_folder(settings))
        raise
    print(f"Airflow              {address(settings)}")
    print(f"MLflow               {mlflow_runs(settings.mlflow_port)}")
    print(f"Data Docs, reports   http://{LOOPBACK}:{settings.docs_port}")
    print("`make down` stops them")


def down(settings: Settings) -> None:
    """Stops exactly what was started for this home."""
    stopped = servers.stop_all(pid_folder(settings))
    print(f"stopped {', '.join(stopped)}" if stopped else "nothing was up")


def page_servers(settings: Settings) -> list[Server]:
    """MLflow's UI with one worker (four cost 2.2 GB), and the pages that are plain files."""
    for folder in (settings.mlflow, settings.reports):
        folder.mkdir(parents=True, exist_ok=True)
    python = sys.executable
    variables = {**os.environ, **environment(settings), **MLFLOW}
    store = ["--backend-store-uri", settings.tracking_uri, "--workers", "1"]
    artifacts = ["--artifacts-destination", str(settings.mlflow / "artifacts")]
    mlflow_port = ["--host", LOOPBACK, "--port", str(settings.mlflow_port)]
    # By default MLflow answers to every name of a private address, and checks reads for no origin.
    hosts = ["--allowed-hosts", ",".join(f"{host}:{settings.mlflow_port}" for host in settings.hosts)]
    pages = ["--directory", str(settings.reports), "--port", str(settings.docs_port), "--host", LOOPBACK]
    return [
        Server(
            "mlflow",
            [python, "-m", "mlflow", "server", *mlflow_port, *hosts, *store, *artifacts],
            variables,
            settings.mlflow_port,
            "TIDEMARK_MLFLOW_PORT",
        ),
        Server(
            "pages",
            [python, "-m", "pipeline.airflow.page_server", *pages],
            variables,
            settings.docs_port,
            "TIDEMARK_DOCS_PORT",
        ),
    ]


def _wait_for_page(settings: Settings, server: Server) -> None:
    def answers() -> bool:
        page = f"http://{LOOPBACK}:{server.port}/"
        try:
            return httpx.get(page, timeout=5, trust_env=False, follow_redirects=True).is_success
        except httpx.HTTPError:
            return False

    servers.wait_until(answers, pid_folder(settings), [server.name], START_SECONDS)
