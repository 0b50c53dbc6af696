"""The pages on loopback: for those who ask by its name, without lists of folders, links and copies."""

import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from mlflow.server.security_utils import is_allowed_host_header

from pipeline.airflow.page_server import server
from pipeline.airflow.services import page_servers
from pipeline.runtime.settings import Settings

HOSTS = frozenset({"127.0.0.1", "localhost"})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    reports = tmp_path / "reports"
    (reports / "nightly").mkdir(parents=True)
    (reports / "nightly" / "2026-03-31.html").write_text("a night")
    (reports / "nightly" / ".half.html").write_text("half a night")
    (tmp_path / "user.key").write_text("the key")
    (reports / "key.html").symlink_to(tmp_path / "user.key")
    (reports / "home").symlink_to(tmp_path)
    (reports / "again.html").symlink_to(reports / "nightly" / "2026-03-31.html")
    return reports


@pytest.fixture
def client(folder: Path) -> Iterator[httpx.Client]:
    with server(folder, "127.0.0.1", 0, HOSTS) as pages:
        threading.Thread(target=pages.serve_forever, daemon=True).start()
        with httpx.Client(base_url=f"http://127.0.0.1:{pages.server_port}", trust_env=False) as asked:
            yield asked
        pages.shutdown()


def test_a_page_is_served_and_not_kept(client: httpx.Client) -> None:
    answer = client.get("/nightly/2026-03-31.html")
    assert (answer.status_code, answer.text) == (200, "a night")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "host", ["rebound.example", "rebound.example:8081", "127.0.0.1.rebound.example", "", "[::1]:1"]
)
def test_another_host_gets_nothing(client: httpx.Client, host: str) -> None:
    answer = client.get("/nightly/2026-03-31.html", headers={"Host": host})
    assert answer.status_code == 403 and "a night" not in answer.text


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8081", "127.0.0.1:9"])
def test_its_own_names_are_answered(client: httpx.Client, host: str) -> None:
    assert client.get("/nightly/2026-03-31.html", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/nightly/",  # a folder
        "/key.html",  # a link out of the folder
        "/again.html",  # a link within it
        "/home/user.key",  # below a link
        "/nightly/.half.html",
        "/../user.key",
        "/%2e%2e/user.key",
        "/nightly/2001-01-01.html",
    ],
)
def test_no_folder_no_link_and_nothing_hidden_is_served(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert not {"the key", "night", "user"} & set(answer.text.replace(".", " ").split())


def test_before_the_first_page_the_start_says_so(client: httpx.Client, folder: Path) -> None:
    assert "No page has been written yet" in client.get("/").text
    (folder / "index.html").write_text("the overview")
    assert client.get("/").text == "the overview"


def test_the_servers_of_up_know_their_names(home: Settings) -> None:
    mlflow, pages = page_servers(home.model_copy(update={"mlflow_port": 5001, "allowed_hosts": "features.example"}))
    assert "pipeline.airflow.page_server" in pages.command and "http.server" not in pages.command
    hosts = mlflow.command[mlflow.command.index("--allowed-hosts") + 1].split(",")
    asked = ("127.0.0.1:5001", "features.example:5001", "rebound.example:5001", "192.168.1.9:5001", "10.0.0.1:5001")
    assert [is_allowed_host_header(hosts, host) for host in asked] == [True, True, False, False, False]
