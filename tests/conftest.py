"""Fixtures shared by all tests: one Spark session, and a fresh home per test."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from pipeline.runtime.settings import Settings, load_settings

gc.set_threshold(100_000, 50, 50)  # modules stay: searching them for garbage was a sixth of the CPU
# Set before the JVM starts: Python workers inherit the environment that it started with.
os.environ["TIDEMARK_USER_KEY"] = "a key for tests only"
os.environ.setdefault("OMP_NUM_THREADS", "2")

# No test fails because the machine is busy.
hypothesis.settings.register_profile(
    "unhurried", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator["SparkSession"]:  # noqa: F821
    """The session that all tests of a worker share: two cores, 1 GiB, two shuffle partitions."""
    from spark_jobs.engine.session import open_session

    os.environ["SPARK_LOCAL_DIRS"] = str(tmp_path_factory.mktemp("spark"))
    settings = Settings(spark_master="local[2]", spark_memory="1g", spark_partitions=2)
    session = open_session(settings, "tests")
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a fresh, empty TIDEMARK_HOME; jobs started by the test read the same."""
    folder = tmp_path / "home"
    (folder / "landing").mkdir(parents=True)
    monkeypatch.setenv("TIDEMARK_HOME", str(folder))
    monkeypatch.setenv("TIDEMARK_SPARK_PARTITIONS", "2")
    return load_settings()
