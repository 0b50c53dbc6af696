"""The modules that the README of 0.1 named still work, and name what to use instead."""

import re
import sys
from typing import Any

import pytest

import pipeline.features
from pipeline.features.as_of_join import as_of
from tests.unit.pipeline.features.test_documented_reading import (
    names as names,  # a fixture
)
from tests.unit.pipeline.features.test_documented_reading import values

README = """
from pipeline.reading import pinned_files, read, scan
from pipeline.settings import load_settings

day, few = "2026-03-31", ("user_id", "recency_days", "p_churn_28d")
read("user_features", ds=day)                                   # Arrow, whole rows
scan("user_features", ds=day).select(*few).to_polars()          # Polars
scan("user_features", ds=day).select(*few).to_pandas()          # pandas
scan("user_features", ds=day).select(*few).to_duckdb("features").sql("SELECT avg(p_churn_28d) FROM features").fetchall()
snapshot, files = pinned_files("user_features", day, day, load_settings())  # Parquet files of one snapshot
"""
THEN_AND_NOW = """
from pipeline import features, online
from pipeline.feature_store import open_feature_store

features.as_of(labels, columns=["recency_days", "p_churn_28d"])  # labels: user_id, event_timestamp and whatever else
online.open_store(load_settings()).get(["0123456789abcdef0123456789abcdef"])
open_feature_store().get_historical_features(labels, ["user_features:recency_days"]).to_df()
"""


def test_the_readme_of_before_still_runs(names: dict[str, Any]) -> None:
    arrow, polars, pandas, duck = values(README, names)
    assert (
        arrow["recency_days"].to_pylist() == polars["recency_days"].to_list() == pandas["recency_days"].tolist() == [1]
    )
    assert duck == [(0.5,)]
    assert len(names["files"]) == 1
    joined, online, feast = values(THEN_AND_NOW, names)
    assert joined["recency_days"].to_pylist() == feast["recency_days"].tolist() == [1]
    assert [row["recency_days"] for row in online] == [1]


@pytest.mark.parametrize(
    ("module", "statement", "instead"),
    [
        ("pipeline.reading", "from pipeline.reading import read", "home.read"),
        ("pipeline.settings", "from pipeline.settings import load_settings", "home.settings"),
        ("pipeline.online", "from pipeline import online; online.open_store", "home.online"),
        ("pipeline.feature_store", "from pipeline.feature_store import open_feature_store", "home.feast"),
        ("pipeline.features", "from pipeline.features import as_of", "home.as_of"),
        ("pipeline.features", "from pipeline import features; features.as_of", "home.as_of"),
        ("pipeline.features", "from pipeline import features; features.MAX_AGE", "home.as_of"),
    ],
)
def test_each_warns_and_names_what_to_use(module: str, statement: str, instead: str, monkeypatch) -> None:
    if module != "pipeline.features":
        monkeypatch.delitem(sys.modules, module, raising=False)
        monkeypatch.delattr(pipeline, module.rpartition(".")[2], raising=False)
    with pytest.warns(DeprecationWarning, match=re.escape("home = pipeline.open()")) as warned:
        exec(compile(statement, "a_reader.py", "exec"), {})
    warning = next(it for it in warned if "pipeline.open" in str(it.message))
    assert module in str(warning.message)
    assert instead in str(warning.message)
    assert warning.filename == "a_reader.py", "the warning points at the reader's own line"


def test_the_name_of_before_is_the_same_function(recwarn) -> None:
    from pipeline.features import as_of as named_before

    assert named_before is as_of
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        pipeline.features.nothing  # noqa: B018
