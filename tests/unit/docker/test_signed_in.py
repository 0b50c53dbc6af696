"""The services of docker/compose.yaml, started without Docker: who may do what, and who sees which secret."""

import base64
import os
import secrets
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from pipeline.airflow import links
from tests.compose import DOCKER, ROOT, Host, compose_file
from tests.postgres import free_port, postgres_server

SERVERS = ("airflow-api", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer")
ROLES = ("viewer", "engineer", "admin")
DAG = "maintenance"
MODEL = "tidemark"
# The last part of the command of airflow-init: its migrations need not run twice.
ENTRY = ["python", "-m", "pipeline.runtime.secret_files"]
AIRFLOW_PEOPLE = [*ENTRY, *compose_file()["services"]["airflow-init"]["command"][2].rpartition("&& ")[2].split()]
PATIENCE = 240  # seconds; the machine may be busy


def until(ready: Callable[[], bool], host: Host) -> None:
    deadline = time.monotonic() + PATIENCE
    while not ready():
        for name, process in host.running.items():
            assert process.poll() in (None, 0), f"{name}: {host.log(name).read_text()[-3000:]}"
        assert time.monotonic() < deadline, {name: host.log(name).read_text()[-800:] for name in host.running}
        time.sleep(0.5)


class Shape:
    """The services as they run, and how to ask them."""

    def __init__(self, host: Host, secrets_: dict[str, str], passwords: dict[str, str]) -> None:
        self.host, self.secrets, self.passwords = host, secrets_, passwords
        self.airflow = httpx.Client(base_url=f"http://{host.here('airflow-api:8080')}", timeout=60, trust_env=False)
        self.mlflow_address = f"http://{host.here('mlflow:5000')}"

    def token(self, name: str) -> dict[str, str]:
        body = {"username": name, "password": self.passwords[name]}
        answer = self.airflow.post("/auth/token", json=body)
        assert answer.status_code == 201, answer.text
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def trigger(self, headers: dict[str, str]) -> int:
        return self.airflow.post(
            f"/api/v2/dags/{DAG}/dagRuns", json={"logical_date": None}, headers=headers
        ).status_code

    def mlflow(self, method: str, path: str, body: dict | None = None, who: str = "") -> httpx.Response:
        auth = (who, self.passwords[who]) if who else None
        address = f"{self.mlflow_address}/api/2.0/mlflow/{path}"
        return httpx.request(method, address, json=body, auth=auth, timeout=60, trust_env=False)

    def role(self) -> dict:
        """That of the service account; MLflow makes others of its own."""
        account = ("admin", self.passwords["admin"])
        address = f"{self.mlflow_address}/api/3.0/mlflow/roles/list"
        roles = httpx.get(address, auth=account, timeout=60, trust_env=False).json()["roles"]
        (found,) = (role for role in roles if role["name"] == "tidemark")
        return found

    def ready(self, address: str, *parts: str) -> bool:
        try:
            if not parts:
                return httpx.get(f"{address}/health", timeout=5, trust_env=False).is_success
            found = self.airflow.get("/api/v2/monitor/health").json()
            known = self.airflow.get(f"/api/v2/dags/{DAG}", headers=self.token("the-viewer")).is_success
            return known and all(found[part]["status"] == "healthy" for part in parts)
        except httpx.HTTPError:
            return False


@pytest.fixture(scope="module")
def shape(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shape]:
    folder = tmp_path_factory.mktemp("shape")
    # Postgres runs as a user of its own where the tests run as root, and those folders are closed to it.
    with tempfile.TemporaryDirectory() as data, postgres_server(Path(data), over_tcp="scram-sha-256") as uri:
        port = uri.rpartition(":")[2].partition("/")[0]
        airflow, mlflow = str(free_port()), str(free_port())
        moved = {
            "/run/secrets": str(folder / "secrets"),
            "/var/lib/tidemark": str(folder / "home"),
            "/opt/tidemark/docker": str(folder),
            "/opt/tidemark": str(ROOT),
            "@postgres/": f"@127.0.0.1:{port}/",
            "airflow-api:8080": f"127.0.0.1:{airflow}",
            "mlflow:5000": f"127.0.0.1:{mlflow}",
            "8080": airflow,
            "5000": mlflow,
            "0.0.0.0": "127.0.0.1",
        }
        host = Host(folder, moved)
        values, passwords = write_secrets(folder / "secrets")
        (folder / "home" / "airflow").mkdir(parents=True)
        (folder / "mlflow_auth.ini").write_text(host.here((DOCKER / "mlflow_auth.ini").read_text()))
        script = host.here((DOCKER / "create_databases.sql").read_text())
        psql = ["psql", "-q", "-h", data, "-p", port, "-U", "tidemark", "-d", "postgres"]
        subprocess.run([*psql, "-v", "ON_ERROR_STOP=1"], input=script, text=True, check=True)
        shape = Shape(host, values, passwords)
        try:
            start_in_order(shape)
            yield shape
        finally:
            end(host)


def start_in_order(shape: Shape) -> None:
    """As `depends_on` says: the server of MLflow and Airflow's database first, then who may sign in, then the rest."""
    host = shape.host
    host.start("mlflow")
    host.start("airflow-init")
    until(lambda: shape.ready(shape.mlflow_address), host)
    host.start("mlflow-init")
    until(lambda: all(host.running[name].poll() == 0 for name in ("airflow-init", "mlflow-init")), host)
    for name in SERVERS:
        host.start(name)
    until(lambda: shape.ready("", "metadatabase", "scheduler", "dag_processor", "triggerer"), host)


def end(host: Host) -> None:
    members = [psutil.Process(it.pid) for it in host.running.values() if it.poll() is None]
    members += [child for process in members for child in process.children(recursive=True)]
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in members:
            if process.is_running():
                process.send_signal(number)
        _, members = psutil.wait_procs(members, timeout=5)


def write_secrets(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """The files that docs/guides/deploy.md lists; returns their contents and the passwords of accounts."""
    folder.mkdir()
    values = {name: f"{name}%/@{secrets.token_hex(12)}" for name in compose_file()["secrets"] if name != "users"}
    values["airflow_fernet_key"] = base64.urlsafe_b64encode(os.urandom(32)).decode()
    passwords = {role: f"{role}-{secrets.token_hex(8)}" for role in ROLES}
    people = "".join(f'[the-{role}]\nrole = "{role}"\npassword = "{passwords[role]}"\n' for role in ROLES)
    for name, value in {**values, "users": people}.items():
        (folder / name).write_text(value + "\n")
    named = {f"the-{role}": password for role, password in passwords.items()}
    accounts = {"tidemark": values["mlflow_service_password"], "admin": values["mlflow_admin_password"]}
    return {**values, **{f"users:{role}": it for role, it in passwords.items()}}, {**named, **accounts}


def test_airflow_answers_to_nobody_who_is_not_signed_in(shape: Shape) -> None:
    for path in ("/api/v2/dags", f"/api/v2/dags/{DAG}/dagRuns", "/tidemark/", "/tidemark/pages/index.html"):
        assert shape.airflow.get(path).status_code == 401, path
    assert shape.trigger({}) == 401
    wrong = {"username": "the-admin", "password": shape.passwords["the-viewer"]}
    assert shape.airflow.post("/auth/token", json=wrong).status_code == 401
    rebound = shape.airflow.get("/api/v2/monitor/health", headers={"Host": "rebound.example"})
    assert rebound.status_code == 400


def test_viewers_look_and_engineers_trigger(shape: Shape) -> None:
    viewer, engineer = shape.token("the-viewer"), shape.token("the-engineer")
    assert shape.airflow.get("/api/v2/dags", headers=viewer).json()["total_entries"] > 1
    assert shape.airflow.get("/tidemark/", headers=viewer).status_code == 200
    assert shape.trigger(viewer) == 403
    assert shape.trigger(engineer) == 200
    for who in (viewer, engineer):
        assert shape.airflow.get("/auth/fab/v1/users", headers=who).status_code == 403
    assert shape.airflow.get("/auth/fab/v1/users", headers=shape.token("the-admin")).status_code == 200


def test_champion_moves_by_the_service_alone(shape: Shape) -> None:
    found = shape.mlflow("GET", "experiments/get-by-name?experiment_name=interest-model", None, "the-viewer").json()
    experiment = {"experiment_id": found["experiment"]["experiment_id"]}
    assert experiment["experiment_id"] == str(links.EXPERIMENT)
    assert shape.mlflow("POST", "runs/create", experiment, "the-viewer").status_code == 403
    run = shape.mlflow("POST", "runs/create", experiment, "tidemark").json()["run"]["info"]
    version = {"name": MODEL, "source": f"{run['artifact_uri']}/model", "run_id": run["run_id"]}
    made = shape.mlflow("POST", "model-versions/create", version, "tidemark")
    assert made.is_success, made.text
    alias = {"name": MODEL, "alias": "champion", "version": "1"}
    for who, status in {"": 401, "the-viewer": 403, "the-engineer": 403, "tidemark": 200}.items():
        answer = shape.mlflow("POST", "registered-models/alias", alias, who)
        assert answer.status_code == status, (who, answer.text)
    read = shape.mlflow("GET", f"registered-models/get?name={MODEL}", None, "the-viewer")
    assert read.json()["registered_model"]["aliases"] == [{"alias": "champion", "version": "1"}]
    assert shape.mlflow("DELETE", "registered-models/alias", alias, "the-viewer").status_code == 403
    admin = {"username": "the-viewer", "is_admin": True}
    assert shape.mlflow("PATCH", "users/update-admin", admin, "the-viewer").status_code == 403


def test_mlflow_answers_to_its_own_names_alone(shape: Shape) -> None:
    headers = {"Host": "rebound.example"}
    account = ("the-viewer", shape.passwords["the-viewer"])
    address = f"{shape.mlflow_address}/api/2.0/mlflow/registered-models/get?name={MODEL}"
    for given, status in (({}, 200), (headers, 403)):
        answer = httpx.get(address, headers=given, auth=account, timeout=60, trust_env=False)
        assert answer.status_code == status, answer.text


def test_no_command_line_shows_a_secret_and_no_environment_another_services(shape: Shape) -> None:
    """Looks at the processes of every server, children included."""
    seen = 0
    for name, server in shape.host.running.items():
        if server.poll() is not None:
            continue
        leader = psutil.Process(server.pid)
        needed = set(shape.host.services[name]["secrets"])
        for process in (leader, *leader.children(recursive=True)):
            try:
                words, variables = " ".join(process.cmdline()), " ".join(process.environ().values())
            except psutil.NoSuchProcess:
                continue
            for secret, value in shape.secrets.items():
                assert value not in words, (name, secret)
                assert secret in needed or value not in variables, (name, secret)
            seen += 1
    assert seen >= 1 + len(SERVERS)


def test_health_checks_of_the_file_pass_and_fail(shape: Shape) -> None:
    host = shape.host
    for name in ("mlflow", *SERVERS):
        kind, *words = (host.here(word) for word in host.services[name]["healthcheck"]["test"])
        environment = host.environment(name)
        assert kind == "CMD"
        done = subprocess.run(words, env=environment, cwd=host.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (name, done.stderr)
    nobody = [*words[:-2], f"http://127.0.0.1:{free_port()}"]
    done = subprocess.run(nobody, env=environment, cwd=host.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "Connection refused" in done.stderr


def test_roles_and_passwords_follow_the_file(shape: Shape) -> None:
    """The admin goes, the engineer becomes a viewer with another password."""
    host, engineer = shape.host, shape.passwords["the-engineer"]
    users = host.folder / "secrets" / "users"
    kept = users.read_text().partition("[the-admin]")[0]
    users.write_text(kept.replace('"engineer"', '"viewer"').replace(engineer, f"{engineer}-new"))
    commands = {
        "airflow-init": [host.here(word) for word in AIRFLOW_PEOPLE],
        "mlflow-init": host.command("mlflow-init"),
    }
    before, token = shape.role(), shape.token("the-admin")
    assert shape.airflow.get("/api/v2/dags", headers=token).status_code == 200
    for service, words in commands.items():
        environment = host.environment(service)
        done = subprocess.run(words, env=environment, cwd=host.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    for name in ("the-admin", "the-engineer"):
        account = {"username": name, "password": shape.passwords[name]}
        assert shape.airflow.post("/auth/token", json=account).status_code == 401, name
        assert shape.mlflow("GET", "users/list", None, name).status_code == 401, name
    assert shape.airflow.get("/api/v2/dags", headers=token).status_code in (401, 403)
    # Not made anew: who writes as the service account meanwhile is not turned away.
    assert shape.role() == before
    shape.passwords["the-engineer"] += "-new"
    assert shape.trigger(shape.token("the-engineer")) == 403
    assert shape.mlflow("GET", f"registered-models/get?name={MODEL}", None, "the-engineer").is_success
    assert shape.trigger(shape.token("the-viewer")) == 403
