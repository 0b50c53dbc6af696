"""Notices of failed tasks and late nights, sent to a mail server and a webhook of this test."""

import asyncio
import email
import email.policy
import json
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import httpx
import pytest

from pipeline.airflow import notices
from pipeline.airflow.environment import MAIL_CONNECTION, airflow_environment
from pipeline.runtime.settings import Settings, load_settings

WHY = "exit code 1: error: shop <b>5</b> files"
RUN = {"dag_id": "nightly_features", "partition_key": "2026-01-02"}
FAILED = {
    "dag_run": SimpleNamespace(run_id="scheduled__1", **RUN),
    "ti": SimpleNamespace(dag_id="nightly_features", task_id="land.job"),
    "exception": WHY,
}


class MailServer(socketserver.StreamRequestHandler):
    """As much of SMTP as one mail needs."""

    def handle(self) -> None:
        self.wfile.write(b"220 test\r\n")
        while line := self.rfile.readline():
            verb = line.split()[0].upper()
            if verb == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                content = b"".join(iter(self.rfile.readline, b".\r\n"))
                self.server.mails.append(email.message_from_bytes(content, policy=email.policy.default))
            self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 fine\r\n")
            if verb == b"QUIT":
                return


class Hook(BaseHTTPRequestHandler):
    """Keeps what is posted; answers 500 below /broken."""

    def do_POST(self) -> None:
        self.server.posts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(500 if self.path == "/broken" else 204)
        self.end_headers()

    def log_message(self, *arguments: object) -> None: ...


@pytest.fixture
def mails(monkeypatch: pytest.MonkeyPatch) -> Iterator[list]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), MailServer) as server:
        server.mails = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("TIDEMARK_NOTIFY_MAIL", "night@shop.example, ops@shop.example")
        monkeypatch.setenv("TIDEMARK_NOTIFY_SMTP", f"smtp://127.0.0.1:{server.server_address[1]}")
        monkeypatch.setenv(MAIL_CONNECTION, airflow_environment(load_settings())[MAIL_CONNECTION])
        yield server.mails
        server.shutdown()


@pytest.fixture
def posts(monkeypatch: pytest.MonkeyPatch) -> Iterator[list]:
    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        server.posts = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("TIDEMARK_NOTIFY_WEBHOOK", f"http://127.0.0.1:{server.server_address[1]}/hook")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield server.posts
        server.shutdown()


def late(run_type: str = "scheduled", state: str = "running") -> dict[str, object]:
    return {
        "dag_run": {"dag_run_id": "scheduled__1", **RUN, "run_type": run_type, "state": state},
        "deadline": {"id": "1", "deadline_time": "2026-01-03 08:00:00+00:00"},
    }


def test_nobody_is_told_until_a_setting_says_whom(home: Settings) -> None:
    assert notices.on_failure(home) == [] and notices.deadline(home) is None
    assert MAIL_CONNECTION not in airflow_environment(home)


def test_a_failed_task_is_mailed_with_its_error(home: Settings, mails: list) -> None:
    [mail] = notices.on_failure(load_settings())
    mail(FAILED)
    [found] = mails
    assert (found["To"], found["From"]) == ("night@shop.example, ops@shop.example", "tidemark@localhost")
    assert found["Subject"] == "Tidemark: nightly_features 2026-01-02: land.job failed"
    text = found.get_body().get_content()
    assert "error: shop &lt;b&gt;5&lt;/b&gt; files" in text and "land.job failed" in text


def test_a_failed_task_is_posted_with_its_error(home: Settings, posts: list) -> None:
    [hook] = notices.on_failure(load_settings())
    hook(FAILED)
    title = "nightly_features 2026-01-02: land.job failed"
    assert posts == [
        {
            "text": f"Tidemark: {title}: {WHY}",
            "dag": "nightly_features",
            "run": "scheduled__1",
            "partition": "2026-01-02",
            "task": "land.job",
            "why": WHY,
        }
    ]


def test_one_callback_serves_every_failure(home: Settings, posts: list) -> None:
    """Airflow renders a notifier in place: the second failure must not repeat the first."""
    for task in ("land.job", "score.job"):
        [hook] = notices.on_failure(load_settings())
        hook({**FAILED, "ti": SimpleNamespace(dag_id="d", task_id=task)})
    assert [post["task"] for post in posts] == ["land.job", "score.job"]


def test_a_webhook_that_refuses_is_an_error(home: Settings, posts: list, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMARK_NOTIFY_WEBHOOK", load_settings().notify_webhook.replace("/hook", "/broken"))
    [hook] = notices.on_failure(load_settings())
    with pytest.raises(httpx.HTTPStatusError, match="500"):
        hook(FAILED)


def test_a_late_night_is_sent_both_ways(home: Settings, mails: list, posts: list) -> None:
    asyncio.run(notices.late(context=late()))
    why = "user_features was due at 2026-01-03 08:00:00+00:00 and is not published; the run is running"
    assert [mail["Subject"] for mail in mails] == ["Tidemark: nightly_features 2026-01-02 is late"]
    assert why in mails[0].get_body().get_content()
    assert posts[0]["run"] == "scheduled__1"
    assert [post["text"] for post in posts] == [f"Tidemark: nightly_features 2026-01-02 is late: {why}"]


def test_a_backfill_and_a_published_night_are_not_late(
    home: Settings, posts: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(notices.late(context=late("backfill")))
    monkeypatch.setattr("pipeline.storage.reading.published", lambda name, settings: {"2026-01-02": 1})
    asyncio.run(notices.late(context=late()))
    assert posts == []


def test_the_other_notice_is_sent_when_one_cannot_be(
    home: Settings, mails: list, posts: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEMARK_NOTIFY_WEBHOOK", "http://127.0.0.1:1/")
    with pytest.raises(httpx.ConnectError):
        asyncio.run(notices.late(context=late()))
    assert len(mails) == 1


@pytest.mark.parametrize(
    ("address", "connection", "extra"),
    [
        ("smtp://mail:26", ("mail", 26, "", ""), (True, True)),
        ("smtps://mail", ("mail", 465, "", ""), (False, True)),
        ("smtp+starttls://u:p%40ss@mail", ("mail", 587, "u", "p@ss"), (True, False)),
    ],
)
def test_the_mail_server_is_a_connection_of_airflow(
    home: Settings, address: str, connection: tuple[object, ...], extra: tuple[bool, bool]
) -> None:
    settings = home.model_copy(update={"notify_mail": "a@b", "notify_smtp": address})
    found = json.loads(airflow_environment(settings)[MAIL_CONNECTION])
    assert tuple(found[name] for name in ("host", "port", "login", "password")) == connection
    assert (found["extra"]["disable_ssl"], found["extra"]["disable_tls"]) == extra


def test_a_connection_of_ones_own_goes_before(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MAIL_CONNECTION, "smtp://own")
    assert airflow_environment(home.model_copy(update={"notify_mail": "a@b"}))[MAIL_CONNECTION] == "smtp://own"


def test_the_alert_survives_the_way_into_airflows_database(home: Settings, posts: list) -> None:
    """Airflow keeps the alert as JSON and finds the callback by its path."""
    from airflow.serialization.encoders import encode_deadline_alert

    alert = notices.deadline(load_settings())
    assert alert is not None
    assert alert.callback.path == "pipeline.airflow.notices.late" and alert.interval.total_seconds() == 8 * 3600
    assert json.dumps(encode_deadline_alert(alert))
