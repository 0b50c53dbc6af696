"""docker/: the compose file is sound, and names only settings, paths and programs that exist."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from pipeline.runtime.settings import NOT_SETTINGS, PREFIX, Settings

ROOT = Path(__file__).resolve().parents[3]
COMPOSE = ROOT / "docker" / "compose.yaml"
SERVICE_KEYS = {
    "build",
    "command",
    "depends_on",
    "environment",
    "healthcheck",
    "image",
    "ports",
    "restart",
    "volumes",
}
SECRETS = ("TIDEMARK_USER_KEY", "POSTGRES_PASSWORD", "AIRFLOW_JWT_SECRET", "AIRFLOW_FERNET_KEY")


@pytest.fixture(scope="module")
def compose() -> dict:
    return yaml.safe_load(COMPOSE.read_text())


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
        [str(ROOT / ".venv/bin/airflow"), "config", "list", "--defaults", "--include-env-vars"],
        capture_output=True,
        text=True,
        check=False,
    )
    options = set(re.findall(r"AIRFLOW__[A-Z0-9_]+", listed.stdout))
    assert "AIRFLOW__CORE__EXECUTOR" in options, listed.stderr[-500:]
    environment = compose["services"]["airflow-scheduler"]["environment"]
    assert {name for name in environment if name.startswith("AIRFLOW__")} <= options


def test_secrets_have_no_default_and_ports_stay_on_loopback(compose: dict) -> None:
    text = COMPOSE.read_text()
    for secret in SECRETS:
        assert f"${{{secret}:?" in text, secret
        assert f"${{{secret}:-" not in text, secret
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert ports and all(port.startswith("127.0.0.1:") for port in ports)


def test_image_copies_everything_that_runs() -> None:
    lines = (ROOT / "docker" / "Dockerfile").read_text().splitlines()
    copied = {word for line in lines if line.startswith("COPY") for word in line.split()[1:-1]}
    assert {"pipeline", "spark_jobs", "training", "dags", "requirements.txt"} <= copied
    assert all((ROOT / name).exists() for name in copied)
    ignored = (ROOT / "docker" / "Dockerfile.dockerignore").read_text()
    assert all(f"!{name}" in ignored for name in copied)


@pytest.mark.docker
def test_docker_accepts_the_compose_file(monkeypatch: pytest.MonkeyPatch) -> None:
    if not shutil.which("docker"):
        pytest.skip("docker is not installed")
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("docker has no compose plugin")
    for secret in SECRETS:
        monkeypatch.setenv(secret, "test")
    subprocess.run(["docker", "compose", "-f", str(COMPOSE), "config", "-q"], check=True)
