"""Great Expectations is imported without Spark, and everybody else still finds it."""

import subprocess
import sys

PROGRAM = """
import sys
from pipeline.storage.audit.lean_import import lean

with lean():
    from pipeline.storage.audit import suite
    assert "scipy.stats._stats_py" not in sys.modules
assert not [name for name in sys.modules if name.split(".")[0] == "pyspark"]
import pyspark
from scipy import stats
print(pyspark.__name__, stats.norm.cdf(0))
with lean():
    import pyspark.sql
print(pyspark.sql.__name__)
"""


def test_what_is_put_off_is_there_when_it_is_wanted() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.stdout.splitlines() == ["pyspark 0.5", "pyspark.sql"], done.stderr
