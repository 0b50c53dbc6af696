"""Ask a server of the deployed shape whether it, or one part of Airflow, is well; exit code 1 when not.

python -m pipeline.airflow.health http://airflow-api:8080 scheduler
python -m pipeline.airflow.health http://localhost:5000              # MLflow
"""

import json
import sys
from urllib.request import ProxyHandler, build_opener

from pipeline.runtime import program
from pipeline.runtime.errors import OrchestrationError, UsageError

TIMEOUT = 8  # seconds


def main() -> None:
    given = sys.argv[1:]
    if len(given) not in (1, 2):
        raise UsageError("python -m pipeline.airflow.health: expected ADDRESS [PART]")
    address, *parts = given
    path = "api/v2/monitor/health" if parts else "health"
    try:
        with build_opener(ProxyHandler({})).open(f"{address}/{path}", timeout=TIMEOUT) as answer:
            body = answer.read()
    except OSError as error:
        raise OrchestrationError(f"{address}: {error}") from None
    for part in parts:
        status = json.loads(body)[part]["status"]
        if status != "healthy":
            raise OrchestrationError(f"{address}: {part}: expected healthy, found {status}")


if __name__ == "__main__":
    program.run(main)
