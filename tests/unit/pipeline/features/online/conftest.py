"""Every test of the online store runs on every kind of it, on real servers."""

import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from pipeline.runtime.settings import Settings
from tests.postgres import postgres_server
from tests.redis_server import redis_server

KINDS = ("sqlite", "redis", "postgres")


@pytest.fixture(scope="session")
def redis_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server(tmp_path_factory.mktemp("redis")) as uri:
        yield uri


@pytest.fixture(scope="session")
def postgres_uri() -> Iterator[str]:
    # Not below pytest's own folder, which only its user may enter.
    with tempfile.TemporaryDirectory(prefix="pg") as folder, postgres_server(Path(folder)) as uri:
        yield uri.replace("+psycopg2", "")


@pytest.fixture(params=KINDS)
def online(request: pytest.FixtureRequest, home: Settings) -> Settings:
    """Settings of a fresh home with an empty online store."""
    if request.param == "sqlite":
        return home
    uri = request.getfixturevalue(f"{request.param}_uri")
    return home.model_copy(update={"online_uri": _emptied(request.param, uri)})


def _emptied(kind: str, uri: str) -> str:
    if kind == "redis":
        redis.Redis.from_url(uri).flushall()
        return uri
    name = f"t{uuid.uuid4().hex}"
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return uri.replace("/postgres", f"/{name}")
