"""The pages of Tidemark inside Airflow's UI: a start page, the reports, the report of a run.

    /tidemark/                    the newest report, the list, Data Docs, MLflow
    /tidemark/nightly/<ds>.html   the page of a night, as it lies in `reports/nightly/`
    /tidemark/runs/<dag>/<run>    the page of the night that a run is about
    /tidemark/pages/<path>        any page of `reports/`, Data Docs among them, where no server of their own is

Whoever is signed in to Airflow may look. Light to import: every process of Airflow does.
"""

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from pipeline.airflow import PREFIX

if TYPE_CHECKING:
    from fastapi import FastAPI

# A report is one file: it may load nothing, run nothing, and be framed by Airflow alone.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
# Data Docs are several files: they also load their own styles, fonts and pictures. No script runs as who is signed in.
OWN_FILES = "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'"
PAGES_POLICY = f"default-src 'none'; {OWN_FILES}; frame-ancestors 'self'"
# The start page has one script of its own, which opens links outside of its frame.
START_POLICY = f"{POLICY}; script-src 'self'"
# Reports tell of people: no browser keeps a copy, and none takes a page for anything but what it says it is.
CLOSED = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
NEWEST = 14  # nights on the start page
NIGHT = re.compile(r"\d{4}-\d{2}-\d{2}")  # some DAGs run by the hour
OPENER = """
// Airflow shows this page in a frame that may not open windows itself.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-outside]");
  if (link && parent !== window && parent.open(link.href, "_blank", "noopener") !== undefined) {
    event.preventDefault();
  }
});
document.documentElement.dataset.scheme = parent.document.documentElement.classList.contains("dark")
  ? "dark" : "light";
"""

Message = MutableMapping[str, Any]


class ReportPages:
    """The ASGI application; it is made when somebody asks for the first page."""

    def __init__(self) -> None:
        self._app: FastAPI | None = None

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        if self._app is None:
            self._app = make_app()
        await self._app(scope, receive, send)


def checked_hosts(app: Any) -> Any:
    """Airflow's whole API server behind a check of Host: a page elsewhere that has its name point here gets nothing.

    Airflow checks none itself, and without passwords it hands a token to whoever asks.
    """
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    from pipeline.runtime.settings import load_settings

    return TrustedHostMiddleware(app, allowed_hosts=load_settings().hosts, www_redirect=False)


def make_app() -> "FastAPI":
    """The pages, for whoever is signed in to Airflow."""
    from airflow.api_fastapi.core_api.security import get_user
    from fastapi import Depends, FastAPI, Request
    from fastapi.responses import HTMLResponse, RedirectResponse, Response

    app = FastAPI(title="Tidemark reports", openapi_url=None, dependencies=[Depends(get_user)])

    @app.middleware("http")
    async def closed(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call_next(request)
        response.headers.update(CLOSED)
        return response

    @app.get("/", response_class=HTMLResponse)
    def start(request: Request) -> HTMLResponse:
        host = request.url.hostname or "127.0.0.1"
        return HTMLResponse(start_page(host), headers={"Content-Security-Policy": START_POLICY})

    @app.get("/opener.js")
    def opener() -> Response:
        return Response(OPENER, media_type="text/javascript")

    @app.get("/index.html")
    def up() -> RedirectResponse:
        return RedirectResponse(f"{PREFIX}/")

    @app.get("/nightly/{name}.html", response_class=HTMLResponse)
    def nightly(name: str) -> HTMLResponse:
        return _page(name)

    @app.get("/pages/{path:path}")
    def pages(path: str) -> Response:
        return _file(path)

    @app.get("/runs/{dag_id}/{run_id:path}")
    def of_run(dag_id: str, run_id: str) -> Response:
        ds = partition_key(dag_id, run_id)
        if ds is None or not NIGHT.fullmatch(ds):
            return _sentence("This run is not about one night, so it has no report.")
        return RedirectResponse(f"{PREFIX}/nightly/{ds}.html")

    return app


def start_page(host: str) -> str:
    """What leads to everything; `host` is the name under which the browser reached Airflow."""
    from pipeline.airflow.links import mlflow_runs
    from pipeline.report.shelf import render_start
    from pipeline.runtime.settings import load_settings

    settings = load_settings()
    return render_start(
        settings,
        NEWEST,
        data_docs=f"{settings.pages_url or f'http://{host}:{settings.docs_port}'}/",
        mlflow=mlflow_runs(settings.mlflow_port, host),
    )


def partition_key(dag_id: str, run_id: str) -> str | None:
    """The day or hour that a run is about; None when it has none."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    query = select(DagRun.partition_key).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)
    with create_session() as session:
        found = session.scalar(query)
    return str(found) if found else None


def _page(name: str) -> Any:
    """A page of `reports/nightly/`; a sentence when it is not there."""
    from fastapi.responses import HTMLResponse

    from pipeline.runtime.settings import load_settings
    from pipeline.storage.report_files import nightly_folder, nights_written

    settings = load_settings()
    if name not in [*nights_written(settings), "index"]:
        return _sentence(f"The report of {name} is not written yet: it is the night's last step.")
    text = (nightly_folder(settings) / f"{name}.html").read_text(encoding="utf-8")
    return HTMLResponse(text, headers={"Content-Security-Policy": POLICY})


def _file(path: str) -> Any:
    """A file below `reports/`, by the rules of the server of pages: no folders listed, no links, nothing hidden."""
    from fastapi.responses import FileResponse

    from pipeline.airflow.page_server import INDEX, is_plain
    from pipeline.runtime.settings import load_settings

    folder = load_settings().reports
    file = folder / path
    file = file / INDEX if file.is_dir() else file
    if not is_plain(folder, file):
        return _sentence("There is no such page.")
    return FileResponse(file, headers={"Content-Security-Policy": PAGES_POLICY})


def _sentence(text: str) -> Any:
    from fastapi.responses import HTMLResponse

    from pipeline.report.shelf import render_sentence

    return HTMLResponse(render_sentence(text), status_code=404, headers={"Content-Security-Policy": POLICY})
