"""Settings and the key that pseudonymises users."""

import hashlib
import hmac
from pathlib import Path

import pytest

import pipeline
from pipeline.runtime.errors import SettingsError
from pipeline.runtime.settings import load_settings
from pipeline.sources.user_key import pseudonym


def test_home_moves_all_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMARK_HOME", str(tmp_path / "a"))
    settings = load_settings()
    folders = (
        settings.landing,
        settings.sources,
        settings.staging,
        settings.warehouse,
        settings.airflow,
        settings.mlflow,
        settings.reports,
    )
    assert all(folder.is_relative_to(tmp_path / "a") for folder in folders)
    assert str(tmp_path / "a") in settings.tracking_uri


@pytest.mark.parametrize("name", ["my home", "a%20b", "what's", "Müller", "a[1]", "a#b", "a?b", "a,b", "a:b"])
def test_a_home_whose_path_an_address_cannot_hold_is_refused(name: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("TIDEMARK_HOME", str(tmp_path / name))
    with pytest.raises(SettingsError, match="TIDEMARK_HOME: expected a path of the letters a to z"):
        load_settings()
    assert not (tmp_path / name).exists()
    (tmp_path / name).mkdir()
    monkeypatch.setenv("TIDEMARK_HOME", str(tmp_path / "plain"))
    with pytest.raises(SettingsError, match="expected a path of the letters a to z"):
        pipeline.open(tmp_path / name)


def test_every_path_that_is_taken_is_its_own_address(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("TIDEMARK_HOME", str(tmp_path / "A-b_c.d~1"))
    home = load_settings().home
    assert home.as_uri() == f"file://{home}"


def test_pseudonym_is_the_first_half_of_the_hmac() -> None:
    whole = hmac.new(b"key", b"webshop:u1", hashlib.sha256).hexdigest()
    assert pseudonym(b"key", "webshop:u1") == whole[:32]
    assert pseudonym(b"other", "webshop:u1") != whole[:32]


LINKS = {
    "TIDEMARK_MLFLOW_SERVICE_HOST": "10.0.0.7",
    "TIDEMARK_MLFLOW_SERVICE_PORT": "5000",
    "TIDEMARK_MLFLOW_SERVICE_PORT_HTTP": "5000",
    "TIDEMARK_MLFLOW_PORT": "tcp://10.0.0.7:5000",
    "TIDEMARK_MLFLOW_PORT_5000_TCP": "tcp://10.0.0.7:5000",
    "TIDEMARK_MLFLOW_PORT_5000_TCP_PROTO": "tcp",
    "TIDEMARK_MLFLOW_PORT_5000_TCP_PORT": "5000",
    "TIDEMARK_MLFLOW_PORT_5000_TCP_ADDR": "10.0.0.7",
    "TIDEMARK_SERVICE_HOST": "10.0.0.8",
    "TIDEMARK_SERVICE_PORT": "80",
    "TIDEMARK_PORT": "tcp://10.0.0.8:80",
    "TIDEMARK_PORT_80_TCP_ADDR": "10.0.0.8",
}


def test_variables_about_services_of_kubernetes_are_no_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEMARK_HOME", str(tmp_path))
    for name, value in LINKS.items():
        monkeypatch.setenv(name, value)
    assert load_settings().mlflow_port == 5000
    monkeypatch.setenv("TIDEMARK_MLFLOW_PORT", "5001")  # set for the container: a setting again
    assert load_settings().mlflow_port == 5001


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("TIDEMARK_DOCS_PORT", "tcp://10.0.0.7:5000", "TIDEMARK_DOCS_PORT: .*found"),  # of no service there is
        ("TIDEMARK_DOCS_PORT_80_TCP", "tcp://10.0.0.7:80", "unknown setting TIDEMARK_DOCS_PORT_80_TCP"),
        ("TIDEMARK_MLFLOW_PORTS", "5000", "unknown setting TIDEMARK_MLFLOW_PORTS, did you mean TIDEMARK_MLFLOW_PORT?"),
        ("TIDEMARK_SPARK_EXECUTORS", "2..20", "TIDEMARK_SPARK_EXECUTORS: "),
        ("TIDEMARK_SPARK_EXECUTOR_MEMORY", "4 GB", "TIDEMARK_SPARK_EXECUTOR_MEMORY: "),
    ],
)
def test_what_is_no_service_is_a_typo_as_ever(
    name: str, value: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEMARK_HOME", str(tmp_path))
    for link, address in LINKS.items():
        monkeypatch.setenv(link, address)
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=said):
        load_settings()
