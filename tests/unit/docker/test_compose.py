"""docker/: the compose file is sound, and names only settings, paths and programs that exist."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipeline.runtime.settings import NOT_SETTINGS, PREFIX, Settings

ROOT = Path(__file__).resolve().parents[3]
COMPOSE = ROOT / "docker" / "compose.yaml"
SERVICE_KEYS = {
    "build",
    "cap_drop",
    "command",
    "depends_on",
    "environment",
    "healthcheck",
    "image",
    "mem_limit",
    "pids_limit",
    "ports",
    "restart",
    "secrets",
    "security_opt",
    "user",
    "volumes",
}
ONCE = {"airflow-init", "mlflow-init"}  # they end, so nobody asks how they are
AIRFLOW = {"airflow_database_password", "airflow_fernet_key", "airflow_jwt_secret"}
SECRETS = {
    "postgres": {
        "postgres_password",
        "airflow_database_password",
        "catalog_database_password",
        "mlflow_database_password",
    },
    "airflow-init": {"airflow_database_password", "users"},
    "airflow-api": AIRFLOW | {"airflow_session_key"},
    "airflow-scheduler": AIRFLOW | {"catalog_database_password", "mlflow_service_password", "user_key"},
    "airflow-dag-processor": AIRFLOW,
    "airflow-triggerer": AIRFLOW | {"catalog_database_password"},
    "mlflow": {"mlflow_admin_password", "mlflow_database_password", "mlflow_session_key"},
    "mlflow-init": {"mlflow_admin_password", "mlflow_service_password", "users"},
}
PATH = re.compile(r"/run/secrets/(\w+)")


@pytest.fixture(scope="module")
def compose() -> dict:
    return yaml.safe_load(COMPOSE.read_text())


def test_each_service_mounts_the_secrets_it_uses_and_no_other(compose: dict) -> None:
    services = compose["services"]
    assert {name: set(service["secrets"]) for name, service in services.items()} == SECRETS
    assert set(compose["secrets"]) == set().union(*SECRETS.values())
    for name, service in services.items():
        used = set(PATH.findall(str(service.get("command", "")) + str(service["environment"])))
        if name == "postgres":
            used |= set(PATH.findall((COMPOSE.parent / "create_databases.sql").read_text()))
        assert used == SECRETS[name], name


def test_secrets_come_from_files_that_are_not_committed(compose: dict) -> None:
    for name, secret in compose["secrets"].items():
        file = "users.toml" if name == "users" else name
        assert secret == {"file": f"${{SECRETS_FOLDER:-./secrets}}/{file}"}
    assert "docker/secrets/" in (ROOT / ".gitignore").read_text().splitlines()
    assert not re.search(r"(KEY|PASSWORD|SECRET)\}?: *\$\{", COMPOSE.read_text()), "a secret from a variable"


def test_every_service_is_closed_and_bounded(compose: dict) -> None:
    for name, service in compose["services"].items():
        assert service["user"] in ("10001:10001", "postgres"), name
        assert service["cap_drop"] == ["ALL"] and service["security_opt"] == ["no-new-privileges:true"], name
        assert service["mem_limit"] and service["pids_limit"], name
        assert ("healthcheck" in service) is (name not in ONCE), name


def test_services_have_known_keys_and_refer_to_what_exists(compose: dict) -> None:
    services, volumes = compose["services"], set(compose["volumes"])
    for name, service in services.items():
        assert set(service) <= SERVICE_KEYS, name
        assert set(service.get("depends_on", {})) <= set(services), name
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in volumes or (COMPOSE.parent / source).exists(), volume


def test_every_tidemark_variable_is_a_setting(compose: dict) -> None:
    known = {PREFIX + field.upper() for field in Settings.model_fields} | NOT_SETTINGS
    for service in compose["services"].values():
        used = {name for name in service["environment"] if name.startswith(PREFIX)}
        assert used <= known


def test_every_airflow_variable_is_an_option_of_airflow(compose: dict) -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "airflow", "config", "list", "--defaults", "--include-env-vars"],
        capture_output=True,
        text=True,
        check=False,
    )
    options = set(re.findall(r"AIRFLOW__[A-Z0-9_]+", listed.stdout))
    assert "AIRFLOW__CORE__EXECUTOR" in options, listed.stderr[-500:]
    for service in compose["services"].values():
        assert {name for name in service["environment"] if name.startswith("AIRFLOW__")} <= options


def test_ports_stay_on_loopback(compose: dict) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert ports and all(port.startswith("127.0.0.1:") for port in ports)


def test_image_copies_everything_that_runs() -> None:
    lines = (ROOT / "docker" / "Dockerfile").read_text().splitlines()
    copied = {word for line in lines if line.startswith("COPY") for word in line.split()[1:-1]}
    assert {"pipeline", "spark_jobs", "training", "dags", "requirements.txt", "docker/mlflow_auth.ini"} <= copied
    assert all((ROOT / name).exists() for name in copied)
    ignored = (ROOT / "docker" / "Dockerfile.dockerignore").read_text()
    assert all(f"!{name}" in ignored for name in copied)


@pytest.mark.docker
def test_docker_accepts_the_compose_file() -> None:
    if not shutil.which("docker"):
        pytest.skip("docker is not installed")
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("docker has no compose plugin")
    subprocess.run(["docker", "compose", "-f", str(COMPOSE), "config", "-q"], check=True)
