"""Hosts of one deployment decide alike: other kernels, threads and orders of rows, the same rows.

Each run is a process of its own, since a kernel is chosen when a library is loaded.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.unit.training.propensity.test_stack import window
from training.propensity.fit_stack import fit_propensities
from training.propensity.stack import save_propensities

ONE, TWO = {"OMP_NUM_THREADS": "1"}, {"OMP_NUM_THREADS": "2"}
HERE = {"OPENBLAS_CORETYPE": "Haswell", **ONE}
# What a library does not know it ignores, so that the test also runs where there is no such kernel.
OTHERS = {
    "Sandybridge": {"OPENBLAS_CORETYPE": "Sandybridge", **ONE},
    "Nehalem, two threads": {"OPENBLAS_CORETYPE": "Nehalem", **TWO},
    "Prescott, plain torch and numpy": {
        "OPENBLAS_CORETYPE": "Prescott",
        "ATEN_CPU_CAPABILITY": "default",
        "MKL_CBWR": "COMPATIBLE",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "NPY_DISABLE_CPU_FEATURES": "X86_V3,X86_V4",
        **ONE,
    },
    "two threads, rows in another order": {"OPENBLAS_CORETYPE": "Haswell", **TWO, "ORDER": "5"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fitted model: hosts load the one that was promoted."""
    found = tmp_path_factory.mktemp("model")
    save_propensities(fit_propensities(window(600, 1, 100), window(600, 2, 128), {}), found)
    return found


def decided(folder: Path, kernel: dict[str, str]) -> dict:
    order = [kernel["ORDER"]] if "ORDER" in kernel else []
    command = [sys.executable, "-m", "tests.unit.training.decisions", str(folder), *order]
    done = subprocess.run(command, env=os.environ | kernel, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def here(folder: Path) -> dict:
    return decided(folder, HERE)


@pytest.mark.parametrize("name", OTHERS)
def test_another_processor_decides_the_same(folder: Path, here: dict, name: str) -> None:
    there = decided(folder, OTHERS[name])
    for world, rows in here["topics"].items():
        assert there["topics"][world] == rows, world
    assert there["candidates"] == here["candidates"]
    for user, rows in here["users"].items():
        assert there["users"][user] == rows, user
    for user, chances in here["chances"].items():
        assert np.allclose(there["chances"][user], chances, atol=1e-5), user
