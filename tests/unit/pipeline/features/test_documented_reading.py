"""Every Python example of README.md and docs/guides/read-features.md runs as it is written."""

import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipeline.features.online import open_backend
from pipeline.features.online.load import load_night
from pipeline.runtime.settings import Settings
from tests.unit.pipeline.features.feature_days import at, features, publish_days
from tests.unit.pipeline.staged_factory import USER

ROOT = Path(__file__).resolve().parents[4]
PAGES = ("README.md", "docs/guides/read-features.md")
DAYS, TODAY = ("2026-03-30", "2026-03-31"), "2026-04-01"


def examples(page: str) -> list[str]:
    """The Python blocks of a page, in order."""
    return re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.S | re.M)


def values(block: str, names: dict[str, Any]) -> list[Any]:
    """Runs a block in `names`; the value of each line that is an expression."""
    found = []
    for statement in re.split(r"\n(?![ )}\]])", block.strip()):
        try:
            code = compile(statement, statement, "eval")
        except SyntaxError:
            exec(compile(statement, statement, "exec"), names)
        else:
            found.append(eval(code, names))
    return found


@pytest.fixture
def names(home: Settings) -> dict[str, Any]:
    """What the examples take as given, over a home with two published days, one online."""
    days = {ds: [features(USER, ds, recency_days=n)] for n, ds in enumerate(DAYS)}
    publish_days(home, "r1", days)
    load_night(home, open_backend(home), DAYS[-1])
    row = features(USER, TODAY, recency_days=0, hour=f"{TODAY}T10", base_ds=DAYS[-1])
    publish_days(home, "r2", {TODAY: [row]}, "user_features_intraday")
    stamps = pa.array([at("2026-04-01T10:00:00Z")], pa.timestamp("us", "UTC"))
    frame = pa.table({"user_id": [USER], "event_timestamp": stamps})
    return {"labels": frame.to_pandas()}


@pytest.mark.parametrize("page", PAGES)
def test_every_example_runs(names: dict[str, Any], page: str) -> None:
    blocks = [block for block in examples(page) if "spark." not in block]
    results = [value for block in blocks for value in values(block, names)]
    assert len(results) >= 7
    assert all(_size(result) >= 1 for result in results), results


@pytest.mark.spark
@pytest.mark.parametrize("page", PAGES)
def test_every_spark_example_runs(names: dict[str, Any], page: str, spark: Any) -> None:
    blocks = examples(page)
    place = next(n for n, block in enumerate(blocks) if "spark." in block)
    names["spark"] = spark
    for block in blocks[:place]:
        values(block, names)
    [frame] = values(blocks[place], names)
    rows = [row.asDict() for row in frame.collect()]
    assert len(rows) == (1 if page == "README.md" else 2)


def test_the_values_are_those_published(names: dict[str, Any]) -> None:
    arrow, polars, pandas, duck = values(examples("README.md")[0], names)[:4]
    assert arrow["recency_days"].to_pylist() == [1]
    assert polars["recency_days"].to_list() == [1]
    assert pandas["recency_days"].tolist() == [1]
    assert duck == [(0.5,)]
    joined, online, feast = values(examples("README.md")[2], names)
    assert joined["recency_days"].to_pylist() == [1]
    assert [row["recency_days"] for row in online] == [1]
    assert feast["recency_days"].tolist() == [1]


def _size(result: Any) -> int:
    return len(result) if hasattr(result, "__len__") else 1
