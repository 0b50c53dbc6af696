"""The processes of a training job: nothing of them listens beyond the machine, and the store holds no pickle."""

import json
import subprocess
import sys
from pathlib import Path

from torch.distributed.elastic.rendezvous.dynamic_rendezvous import DynamicRendezvousHandler

from pipeline.orchestration.step_commands import PROJECT
from training.launch import LOOPBACK, LoopbackRendezvous


def test_nothing_listens_beyond_loopback(tmp_path: Path) -> None:
    out = tmp_path / "listeners.json"
    job = "tests.unit.training.fitting.listeners"
    command = [sys.executable, "-m", "training.launch", "--nproc-per-node", "2", "-m", "--", job, str(out)]
    subprocess.run(command, cwd=PROJECT, check=True, timeout=300)
    listening = json.loads(out.read_text())
    assert len(listening) >= 3  # the store, and a process of each rank
    assert {address for address, _ in listening} == {LOOPBACK}


def test_the_exit_code_is_that_of_the_job() -> None:
    command = [sys.executable, "-m", "training.launch", "--nproc-per-node", "1", "-m", "--", "no.such.module"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1
    assert "No module named 'no'" in done.stderr


def test_the_rendezvous_keeps_no_state_to_unpickle() -> None:
    rendezvous = LoopbackRendezvous("run")
    found = rendezvous.next_rendezvous()
    assert not isinstance(rendezvous, DynamicRendezvousHandler)
    assert (found.rank, found.world_size) == (0, 1)
    assert found.bootstrap_store_info.master_addr == LOOPBACK
    assert rendezvous.use_agent_store  # the ranks open no store of their own, which would listen everywhere
