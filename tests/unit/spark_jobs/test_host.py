"""Spark jobs run one after the other in one process end as they would by themselves."""

import os
from pathlib import Path

import pytest

from pipeline.runtime.errors import OrchestrationError
from pipeline.runtime.host import Host
from pipeline.runtime.processes import Processes

JOB = """
import os, sys
from pipeline.runtime.errors import LandingError
from spark_jobs.engine.job import run_job

def main():
    print("process", os.getpid(), *sys.argv[1:], __name__)
    if "bad" in sys.argv:
        raise LandingError("shop: no file")

if __name__ == "__main__":
    run_job(main)
"""


def test_jobs_share_a_process_and_fail_alone(tmp_path: Path) -> None:
    job, log = tmp_path / "job.py", tmp_path / "log"
    job.write_text(JOB)
    submit = ["spark-submit", "--master", "local[2]"]
    host = Host(submit, "spark_jobs.engine.host")
    said = []
    try:
        for how in ("one", "bad", "two"):
            processes = Processes(dict(os.environ), ways=[host.start])
            command = [*submit, str(job), how]
            if how == "bad":
                with pytest.raises(OrchestrationError, match=r"^job \(exit code 1\): shop: no file; log: "):
                    processes.run("job", command, log)
            else:
                assert processes.run("job", command, log).peak_mb > 10
            said.append(log.read_text().splitlines()[0].split())
    finally:
        host.close()
    assert [words[2:] for words in said] == [[how, "__main__"] for how in ("one", "bad", "two")]
    assert len({words[1] for words in said}) == 1
    assert said[0][1] != str(os.getpid())
