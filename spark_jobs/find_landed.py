"""Find the landed records of persons.

    spark-submit spark_jobs/find_landed.py request.json

Reads {"users": [pseudonym, …], "files": [name below landing/, …], "addresses": [`<platform>:<e-mail address>`, …]} and
those files, and prints a line `found {"file": …, "line": …, "platform": …, "raw_id": …}` per record whose account is
one of them. Raw ids are personal: they go to the caller through a pipe and nowhere else.
"""

import json
import sys
from pathlib import Path

from pipeline.runtime.settings import load_settings
from spark_jobs.engine.job import run_job
from spark_jobs.engine.session import open_session
from spark_jobs.landing.records_of import find_landed


def main() -> None:
    settings, request = load_settings(), json.loads(Path(sys.argv[1]).read_text())
    spark = open_session(settings, "Find landed records")
    for found in find_landed(spark, settings, request["users"], set(request["files"]), request["addresses"]):
        print(f"found {json.dumps(found)}")


if __name__ == "__main__":
    run_job(main)
