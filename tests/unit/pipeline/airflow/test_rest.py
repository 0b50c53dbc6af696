"""The client of Airflow's REST API, against a server that notes what it was asked."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import ClassVar

import pytest

from pipeline.airflow.rest import AirflowClient
from pipeline.runtime.errors import OrchestrationError

HEALTHY = {part: {"status": "healthy"} for part in ("metadatabase", "scheduler", "dag_processor")}
ANSWERS = {
    "/auth/token": {"access_token": "secret"},
    "/api/v2/monitor/health": HEALTHY,
    "/api/v2/dags?dag_id_pattern=nightly": {"total_entries": 1},
    "/api/v2/pools": {"pools": [{"name": "known"}]},
    "/api/v2/pools/known": {},
    "/api/v2/dags/nightly/dagRuns/manual__2024%3A01%2B00": {"state": "running"},
}


class Airflow(BaseHTTPRequestHandler):
    asked: ClassVar[list[tuple[str, str, object, object]]] = []

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        self.asked.append((self.command, self.path, self.headers.get("Authorization"), body))
        found = ANSWERS.get(self.path)
        self.send_response(404 if found is None else 200)
        self.end_headers()
        self.wfile.write(b"no such thing" if found is None else json.dumps(found).encode())

    do_GET = do_POST = do_PATCH = answer

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[AirflowClient]:
    for variable in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")  # a proxy that would be asked in vain
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    Airflow.asked.clear()
    with HTTPServer(("127.0.0.1", 0), Airflow) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield AirflowClient(f"http://127.0.0.1:{server.server_port}")
        server.shutdown()


def test_the_token_is_asked_for_once_and_no_proxy_sees_it(client: AirflowClient) -> None:
    assert client.is_ready("nightly")
    assert [(path, token) for _, path, token, _ in Airflow.asked] == [
        ("/auth/token", None),
        ("/api/v2/monitor/health", "Bearer secret"),
        ("/api/v2/dags?dag_id_pattern=nightly", "Bearer secret"),
    ]


def test_a_quoted_run_id_arrives_as_it_is(client: AirflowClient) -> None:
    assert client.get("dags/nightly/dagRuns/manual__2024%3A01%2B00") == {"state": "running"}


def test_a_pool_that_is_known_is_changed_and_another_is_made(client: AirflowClient) -> None:
    client.set_pool("known", 2)
    client.set_pool("new", 3)
    method, path, _, body = zip(*(Airflow.asked[place] for place in (2, 4)), strict=True)
    assert (method, path) == (("PATCH", "POST"), ("/api/v2/pools/known", "/api/v2/pools"))
    assert body == (
        {"pool": "known", "slots": 2, "include_deferred": False},
        {"name": "new", "slots": 3, "include_deferred": False},
    )


def test_a_refusal_names_what_was_asked(client: AirflowClient) -> None:
    with pytest.raises(OrchestrationError, match="Airflow: POST variables: 404 no such thing"):
        client.post("variables", {"key": "a"})


def test_a_server_that_is_away_is_not_ready() -> None:
    assert not AirflowClient("http://127.0.0.1:1").is_ready("nightly")
