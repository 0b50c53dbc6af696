"""Airflow's environment: everything below the home and on loopback; two homes share nothing."""

import json
from urllib.request import proxy_bypass_environment

import pytest

from pipeline.airflow.environment import airflow_environment, pool_slots
from pipeline.runtime.settings import Settings


def test_state_is_below_the_home_and_ports_are_loopback(home: Settings) -> None:
    found = airflow_environment(home.model_copy(update={"airflow_port": 9003}))
    for name in ("AIRFLOW_HOME", "AIRFLOW__LOGGING__BASE_LOG_FOLDER", "TIDEMARK_HOME"):
        assert found[name].startswith(str(home.home)), name
    assert found["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == f"sqlite:///{home.airflow}/airflow.db"
    assert found["AIRFLOW__API__HOST"] == "127.0.0.1"
    # Left at its default, tasks would talk to whatever listens on 8080.
    assert found["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:9003/execution/"


def test_spark_jobs_get_the_master_of_the_settings(home: Settings) -> None:
    found = airflow_environment(home.model_copy(update={"spark_master": "spark://host:7077"}))
    connection = json.loads(found["AIRFLOW_CONN_SPARK_DEFAULT"])
    assert connection == {"conn_type": "spark", "host": "spark://host:7077"}


def test_a_single_night_has_no_schedule(home: Settings) -> None:
    name = "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE"
    assert airflow_environment(home)[name] == "True"
    assert airflow_environment(home, scheduled=False)[name] == "False"


def test_the_callers_environment_is_kept(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMARK_TRAIN_PRESET", "tiny")
    assert airflow_environment(home)["TIDEMARK_TRAIN_PRESET"] == "tiny"


@pytest.mark.parametrize(("cores", "slots"), [(1, 1), (2, 1), (8, 2), (None, 1)])
def test_heavy_tasks_at_a_time(monkeypatch, cores: int | None, slots: int) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    assert pool_slots() == {"spark": slots, "torch": 2 * slots}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", "127.0.0.1,localhost,::1"),
        ("db, localhost", "db,localhost,127.0.0.1,::1"),
        ("*", "*,127.0.0.1,localhost,::1"),
    ],
)
def test_a_proxy_of_the_environment_sees_no_token_of_a_server_here(
    home, monkeypatch, given: str, expected: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy:3128")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("NO_PROXY", given)
    found = airflow_environment(home)
    assert found["NO_PROXY"] == found["no_proxy"] == expected
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, found[name])
    assert proxy_bypass_environment("127.0.0.1:8080") and proxy_bypass_environment("localhost:5000")
