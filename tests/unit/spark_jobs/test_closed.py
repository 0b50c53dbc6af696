"""Strangers and Spark: a job on this machine answers nobody, and keeps its temporary data in the home."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pyspark import SparkConf

from pipeline.orchestration.step_commands import PROJECT, environment, spark_submit
from pipeline.runtime.settings import Settings
from spark_jobs.engine.closed import is_local, protection, unless_given

# Shuffles rows, and says what the JVM and its Python listen on and where the shuffled rows lie.
PROBE = """
import json, os, psutil, sys
from pathlib import Path
from pipeline.runtime.settings import load_settings
from spark_jobs.engine.session import open_session
session = open_session(load_settings(), "probe")
session.range(1000).repartition(4).count()
session.sparkContext.broadcast(list(range(1000)))
me = psutil.Process()
family = [me, *me.parents()[:1], *me.children(recursive=True)]
family = [it for it in family if "java" in it.name() or "python" in it.name()]
ports = [it.laddr.ip for one in family for it in one.net_connections() if it.status == "LISTEN"]
walked = [walk for root in (load_settings().home, "/tmp") for walk in os.walk(root)]  # passes over what goes meanwhile
paths = [Path(folder, name) for folder, names, _ in walked for name in names if name.startswith("blockmgr-")]
blocks = [str(path) for path in paths if path.exists() and path.stat().st_mtime >= me.create_time()]
conf = dict(session.sparkContext.getConf().getAll())
names = ("spark.authenticate", "spark.driver.host", "spark.driver.bindAddress", "spark.local.dir")
java = sum("java" in it.name() for it in family)
found = {"ports": ports, "blocks": blocks, "java": java, "conf": {name: conf.get(name) for name in names}}
Path(sys.argv[1]).write_text(json.dumps(found))
session.stop()
"""


@pytest.mark.parametrize("submitted", [True, False])
def test_a_job_on_this_machine_listens_on_loopback_alone(submitted: bool, home: Settings, tmp_path: Path) -> None:
    program, out = tmp_path / "probe.py", tmp_path / "found.json"
    program.write_text(PROBE)
    start = spark_submit(home, home.spark_java_options) if submitted else [sys.executable]
    variables = {**os.environ, **environment(home), "PYTHONPATH": str(PROJECT), "TIDEMARK_SPARK_MASTER": "local[2]"}
    variables.pop("SPARK_LOCAL_DIRS", None)
    subprocess.run([*start, str(program), str(out)], env=variables, check=True, timeout=300)
    found = json.loads(out.read_text())
    assert found["java"] == 1
    assert len(found["ports"]) >= 2  # the driver and its block service
    assert {ip.removeprefix("::ffff:") for ip in found["ports"]} == {"127.0.0.1"}
    assert found["conf"]["spark.authenticate"] == "true"
    assert found["conf"]["spark.local.dir"].startswith(f"{home.home}/tmp/")
    assert any(path.startswith(f"{home.home}/tmp/") for path in found["blocks"])


def test_on_a_cluster_processes_authenticate_and_encrypt_unless_it_says_otherwise(tmp_path: Path) -> None:
    options = protection("spark://head:7077", tmp_path)
    assert options == {
        "spark.authenticate": "true",
        "spark.network.crypto.enabled": "true",
        "spark.io.encryption.enabled": "true",
    }
    own = SparkConf(loadDefaults=False).set("spark.io.encryption.enabled", "false")
    assert "spark.io.encryption.enabled" not in unless_given(options, own)


@pytest.mark.parametrize(
    ("master", "local"), [("local", True), ("local[*]", True), ("local-cluster[2,1,1024]", False), ("yarn", False)]
)
def test_what_runs_on_this_machine(master: str, local: bool) -> None:
    assert is_local(master) is local
