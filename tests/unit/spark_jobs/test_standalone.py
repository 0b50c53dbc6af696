"""A job on a standalone cluster of its own, on loopback: what its executors get, and what Python they run."""

import os
import secrets
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pyspark
import pytest

from pipeline.orchestration.step_commands import environment as submitting
from pipeline.orchestration.step_commands import executor_options, java_options, spark_submit
from pipeline.runtime.settings import Settings

SPARK_CLASS = Path(pyspark.__file__).parent / "bin" / "spark-class"
QUICK_START = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xmx256m"
JOB = """
import os, sys
from pipeline.runtime.settings import load_settings
from spark_jobs.engine.session import open_session

spark = open_session(load_settings(), "standalone")

def look(batches):
    import os, sys
    import pyarrow as pa
    for batch in batches:
        yield pa.RecordBatch.from_pydict({"python": [os.environ["MADE_BY"]], "folder": [os.getcwd()]})

(found,) = spark.range(1).mapInArrow(look, "python string, folder string").collect()
print("executor", found.python, found.folder)
for name in ("spark.executor.memory", "spark.executor.cores", "spark.authenticate", "spark.network.crypto.enabled"):
    print(name, spark.conf.get(name))
"""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """The master's address and the environment of whoever submits to it; a worker with one core and 1 GiB."""
    conf, ports = tmp_path / "conf", free_ports(2)
    conf.mkdir()
    secret = f"spark.authenticate true\nspark.authenticate.secret {secrets.token_hex(16)}\n"
    (conf / "spark-defaults.conf").write_text(f"{secret}spark.network.crypto.enabled true\n")
    environment = {
        **os.environ,
        "SPARK_CONF_DIR": str(conf),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_DAEMON_MEMORY": "256m",
    }
    address = f"spark://127.0.0.1:{ports[0]}"
    commands = [
        ["master.Master", "--host", "127.0.0.1", "--port", str(ports[0]), "--webui-port", str(ports[1])],
        ["worker.Worker", "-c", "1", "-m", "1g", "-d", str(tmp_path / "work"), "--webui-port", "0", address],
    ]
    started = []
    try:
        for program, *given in commands:
            log = (tmp_path / f"{program}.log").open("wb")
            command = [str(SPARK_CLASS), f"org.apache.spark.deploy.{program}", *given]
            started.append(subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=log, stderr=log))
            wait_for(ports[0])
        yield address, environment
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(30)


def test_executors_get_what_is_set_and_run_the_packed_python(
    cluster: tuple[str, dict[str, str]], home: Settings, tmp_path: Path
) -> None:
    address, environment = cluster
    archive, python = tmp_path / "env.tar.gz", tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexport MADE_BY="$0"\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(python, "bin/python")
    given = {
        "SPARK_MASTER": address,
        "SPARK_EXECUTOR_MEMORY": "512m",
        "SPARK_EXECUTOR_CORES": "1",
        "SPARK_ARCHIVES": str(archive),
    }
    settings = home.model_copy(update={name.lower(): value for name, value in given.items()})
    assert "spark.archives" in executor_options(settings)
    job = tmp_path / "job.py"
    job.write_text(JOB)
    command = [*spark_submit(settings, java_options(settings)), str(job)]
    done = subprocess.run(
        command,
        env={**environment, **submitting(settings), **{f"TIDEMARK_{name}": value for name, value in given.items()}},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    lines = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    made_by, folder = lines["executor"].split()
    assert made_by == "./environment/bin/python"
    assert Path(folder).is_relative_to(tmp_path / "work")
    assert lines["spark.executor.memory"] == "512m"
    assert lines["spark.executor.cores"] == "1"
    assert lines["spark.authenticate"] == lines["spark.network.crypto.enabled"] == "true"


def free_ports(number: int) -> list[int]:
    taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [it.getsockname()[1] for it in taken]
    for it in taken:
        it.close()
    return ports


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"nothing listens on {port}")
