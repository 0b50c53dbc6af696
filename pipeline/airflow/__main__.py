"""Any Airflow command, with the environment of this home.

    python -m pipeline.airflow backfill create --dag-id nightly_features \\
        --from-date 2011-11-07 --to-date 2011-11-09 --max-active-runs 2
"""

import os
import sys

from pipeline.airflow.environment import airflow_environment
from pipeline.orchestration.step_commands import BINARIES
from pipeline.runtime import program
from pipeline.runtime.settings import load_settings


def main() -> None:
    environment = airflow_environment(load_settings())
    airflow = str(BINARIES / "airflow")
    os.execve(airflow, [airflow, *sys.argv[1:]], environment)


if __name__ == "__main__":
    program.run(main)
