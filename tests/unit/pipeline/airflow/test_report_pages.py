"""The plugin as Airflow loads it, its pages as the API server serves them."""

import asyncio
import subprocess
import sys
from html import escape
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from pipeline.airflow import links, report_pages
from pipeline.airflow.environment import airflow_environment
from pipeline.report.shelf import Listed, write_index
from pipeline.runtime.atomic import replace_text
from pipeline.runtime.settings import Settings
from pipeline.storage.report_files import nightly_page

HEAVY = ("fastapi", "jinja2", "duckdb", "mlflow", "pyiceberg", "pyspark", "torch", "pandas")
NIGHT = "2024-03-05"


def test_airflow_loads_the_plugin_and_it_brings_in_nothing_heavy(home: Settings) -> None:
    code = (
        "import runpy, sys, airflow.plugins_manager as m; before = set(sys.modules); "
        "from pipeline.airflow.environment import PROJECT; "
        "runpy.run_path(str(PROJECT / 'pipeline/airflow/plugins' / 'tidemark_reports.py')); "
        f"print([name for name in {HEAVY!r} if name in set(sys.modules) - before]); "
        "views, _ = m._get_ui_plugins(); apps, guards = m.get_fastapi_plugins(); "
        "print([(it['name'], it['destination'], it['href']) for it in views]); "
        "print([it['url_prefix'] for it in apps], [it['name'] for it in guards], m._get_plugins()[1])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=airflow_environment(home))
    assert done.stdout.splitlines()[-3:] == [
        "[]",
        "[('Tidemark', 'nav', '/tidemark/'), ('Nightly report', 'dag_run', '/tidemark/runs/{DAG_ID}/{RUN_ID}')]",
        "['/tidemark'] ['Tidemark allowed hosts'] {}",
    ], done.stderr[-2000:]


@pytest.fixture
def client(home: Settings, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """The pages with one night, asked by somebody who is signed in."""
    from airflow.api_fastapi.core_api.security import get_user

    told = Listed(NIGHT, 6, 3, "< 5", "fine", "Each of the 6 landed rows </script>.").as_json()
    page = f'<style></style><script type="application/json" id="summary">{told}</script>night'
    replace_text(nightly_page(home, NIGHT), page)
    write_index(home)
    app = report_pages.make_app()
    app.dependency_overrides[get_user] = lambda: "somebody"
    return TestClient(app, base_url="http://there:9000", follow_redirects=False)


def test_the_start_page_leads_to_everything(client: TestClient, monkeypatch) -> None:
    monkeypatch.setenv("TIDEMARK_DOCS_PORT", "9001")
    monkeypatch.setenv("TIDEMARK_MLFLOW_PORT", "9002")
    answer = client.get("/")
    assert answer.status_code == 200
    for address in (
        f"nightly/{NIGHT}.html",
        "nightly/index.html",
        "http://there:9001/",
        escape(links.mlflow_runs(9002, "there")),
    ):
        assert f'href="{address}"' in answer.text
    assert "Each of the 6 landed rows &lt;/script&gt;." in answer.text
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "data-outside" in client.get("/opener.js").text


def test_a_report_may_run_and_load_nothing(client: TestClient) -> None:
    answer = client.get(f"/nightly/{NIGHT}.html")
    assert answer.status_code == 200 and answer.text.endswith("night")
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert client.get("/nightly/index.html").status_code == 200
    assert client.get("/index.html").headers["location"] == "/tidemark/"


def test_pages_of_the_reports_are_served_where_no_server_of_their_own_is(
    client: TestClient, home: Settings, monkeypatch
) -> None:
    (home.reports / "data_docs" / "static").mkdir(parents=True)
    (home.reports / "data_docs" / "index.html").write_text("<p>docs")
    (home.reports / "data_docs" / "static" / "a.css").write_text("p {}")
    (home.reports / "data_docs" / ".hidden").write_text("x")
    (home.reports / "outside.html").symlink_to(home.home / "user.key")
    (home.home / "user.key").write_text("a secret of the home")
    for path in ("data_docs", "data_docs/index.html", "data_docs/static/a.css"):
        answer = client.get(f"/pages/{path}")
        assert answer.status_code == 200, path
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self'")
    for path in ("data_docs/static", "data_docs/.hidden", "outside.html", "..%2Fuser.key", "%2Fetc%2Fpasswd"):
        assert client.get(f"/pages/{path}").status_code == 404, path
    monkeypatch.setenv("TIDEMARK_PAGES_URL", "/tidemark/pages")
    assert 'href="/tidemark/pages/"' in client.get("/").text
    assert links.data_docs("events", "r1").startswith("/tidemark/pages/data_docs/")
    assert TestClient(report_pages.make_app()).get("/pages/data_docs/index.html").status_code == 401


@pytest.mark.parametrize("name", ["2024-03-06", "..%2Fsecret", "x", "<b>"])
def test_other_names_are_answered_with_a_sentence(client: TestClient, name: str) -> None:
    answer = client.get(f"/nightly/{name}.html")
    assert answer.status_code == 404
    assert "<b>" not in answer.text


def test_a_run_leads_to_its_night(client: TestClient, monkeypatch) -> None:
    keys = {("nightly_features", "manual__x+y/z"): NIGHT, ("intraday_refresh", "r2"): f"{NIGHT}T10"}
    monkeypatch.setattr(report_pages, "partition_key", lambda *run: keys.get(run))
    found = client.get("/runs/nightly_features/manual__x%2By%2Fz")
    assert found.headers["location"] == f"/tidemark/nightly/{NIGHT}.html"
    for run in ("maintenance/r1", "intraday_refresh/r2"):
        assert "This run is not about one night" in client.get(f"/runs/{run}").text


def test_nobody_else_may_look(home: Settings) -> None:
    assert TestClient(report_pages.make_app()).get("/").status_code == 401


def test_the_application_is_made_on_the_first_visit(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    def make() -> Any:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            made.append(scope["path"])

        return app

    monkeypatch.setattr(report_pages, "make_app", make)
    pages = report_pages.ReportPages()
    for path in ("/a", "/b"):
        asyncio.run(pages({"path": path}, None, None))  # type: ignore[arg-type]
    assert made == ["/a", "/b"]


def test_the_images_have_the_plugin() -> None:
    docker = Path(report_pages.__file__).parents[2] / "docker"
    assert (
        "AIRFLOW__CORE__PLUGINS_FOLDER: /opt/tidemark/pipeline/airflow/plugins" in (docker / "compose.yaml").read_text()
    )


def test_no_browser_keeps_a_page_or_takes_it_for_something_else(client: TestClient) -> None:
    for path in ("/", f"/nightly/{NIGHT}.html", "/nightly/2001-01-01.html", "/opener.js"):
        headers = client.get(path).headers
        assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff"), path


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1:8080", 200), ("localhost", 200), ("airflow-api:8080", 200), ("rebound.example:8080", 400), ("", 400)],
)
def test_airflow_answers_to_its_own_names_alone(host: str, status: int, home: Settings, monkeypatch) -> None:
    monkeypatch.setenv("TIDEMARK_ALLOWED_HOSTS", "Airflow-API, features.example")
    app = FastAPI()
    app.add_middleware(report_pages.checked_hosts)
    app.get("/auth/token")(lambda: {"access_token": "of an admin"})
    answer = TestClient(app).get("/auth/token", headers={"Host": host})
    assert answer.status_code == status
    assert ("of an admin" in answer.text) is (status == 200)
