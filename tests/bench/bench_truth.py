"""Whether drawn histories of a home end in the rows of a fresh one: late and purged files, repairs, zombies, erasures.

    python -m tests.bench truth [--histories 2000]

The same machine as tests/unit/pipeline/truth, for longer. Ends with the first history that a fresh home disagrees with,
shrunk; prints how many histories have ended well, a line for each hundred, and the seconds.
"""

import argparse
import os
import time

import hypothesis
from hypothesis import HealthCheck
from hypothesis.stateful import run_state_machine_as_test

STEPS = 8
EACH = 100  # histories between two lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--histories", type=int, default=2000)
    given = parser.parse_args()
    os.environ.setdefault("TIDEMARK_USER_KEY", "a key for benches only")
    from tests.unit.pipeline.truth.test_truth import Life

    began, cpu, ended = time.perf_counter(), time.process_time(), 0

    class Counted(Life):
        def teardown(self) -> None:
            nonlocal ended
            super().teardown()
            ended += 1
            if ended % EACH == 0:
                print(f"{ended} histories: {time.perf_counter() - began:.0f} s", flush=True)

    run_state_machine_as_test(
        Counted,
        settings=hypothesis.settings(
            max_examples=given.histories,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
    seconds, used = time.perf_counter() - began, time.process_time() - cpu
    print(f"{given.histories} histories end in the rows of a fresh home: {seconds:.0f} s, {used:.0f} CPU s")


if __name__ == "__main__":
    main()
