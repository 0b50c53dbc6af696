"""rollback: each call goes one publication back, and the rows are those of then."""

import pytest

from pipeline.runtime.errors import NotPublishedError
from pipeline.runtime.settings import Settings
from pipeline.storage.reading import published, read
from pipeline.storage.rollback import rollback
from pipeline.tables.registry import ACCOUNTING
from tests.unit.pipeline.rows import publish_accounting

DAY = "2011-11-09"


def visible(settings: Settings, ds: str = DAY) -> int:
    return read("accounting", ds, settings).num_rows


def test_goes_back_one_publication_per_call(home: Settings) -> None:
    for rows in (1, 2, 3):
        publish_accounting(home, f"run-{rows}", {DAY: rows})
    assert visible(home) == 3
    assert rollback(home, ACCOUNTING, DAY).rows == 2
    assert visible(home) == 2
    assert rollback(home, ACCOUNTING, DAY).rows == 1
    assert visible(home) == 1
    with pytest.raises(NotPublishedError, match="no earlier publication"):
        rollback(home, ACCOUNTING, DAY)
    assert visible(home) == 1


def test_other_days_stay(home: Settings) -> None:
    publish_accounting(home, "range", {"2011-11-08": 4, DAY: 1})
    publish_accounting(home, "again", {DAY: 2})
    rollback(home, ACCOUNTING, DAY)
    assert (visible(home), visible(home, "2011-11-08")) == (1, 4)


def test_a_newer_run_publishes_over_a_rollback(home: Settings) -> None:
    publish_accounting(home, "one", {DAY: 1})
    publish_accounting(home, "two", {DAY: 2})
    rollback(home, ACCOUNTING, DAY)
    assert set(publish_accounting(home, "three", {DAY: 2})) == {DAY}
    assert visible(home) == 2
    assert published("accounting", home)[DAY].run == "three"


def test_goes_back_to_a_day_without_rows(home: Settings) -> None:
    publish_accounting(home, "other day", {"2011-11-08": 1})
    publish_accounting(home, "empty", {DAY: 0})
    publish_accounting(home, "filled", {DAY: 2})
    assert rollback(home, ACCOUNTING, DAY).rows == 0
    assert visible(home) == 0


def test_unpublished_day_is_refused(home: Settings) -> None:
    with pytest.raises(NotPublishedError, match="accounting ds=2011-11-09: not published"):
        rollback(home, ACCOUNTING, DAY)
