"""What days lack: the files of a day that was read before may be purged."""

from datetime import UTC, datetime

import pytest

from pipeline.runtime.errors import LandingError
from pipeline.runtime.settings import Settings
from pipeline.sources.landing import SHIPPED
from pipeline.storage.arrivals import lacking, lacking_files, require_complete
from pipeline.storage.publish import publish
from pipeline.tables.registry import LANDED_FILES
from tests.unit.pipeline.staged_factory import pass_audit, stage

DAYS = ["2026-01-01", "2026-01-02", "2026-01-03"]


def read(home: Settings, ds: str, path: str, run: str) -> None:
    """Publishes the ledger of a day on which one file was read."""
    noon = datetime(2026, 1, 4, 12, tzinfo=UTC)
    row = {"ds": ds, "platform": "webshop", "path": path, "size": 1, "modified": noon, "sha256": "0" * 64}
    row |= {"records": 1, "first_seen": noon, "run": run, "attempt": "a"}
    pass_audit(home, stage(home, LANDED_FILES.name, {ds: [row]}, run))
    publish(home, LANDED_FILES, run)


@pytest.fixture
def landed(home: Settings) -> Settings:
    """The first day is there; the second was read and has been purged; the third never came."""
    (home.landing / "webshop").mkdir()
    (home.landing / "webshop" / f"{DAYS[0]}.jsonl.gz").touch()
    for ds in DAYS[:2]:
        read(home, ds, f"webshop/{ds}.jsonl.gz", f"r-{ds}")
    return home


def test_a_purged_day_lacks_nothing(landed: Settings) -> None:
    absent = [f"webshop: no file matches landing/webshop/{DAYS[2]}.jsonl.gz"]
    assert lacking(landed, DAYS) == {DAYS[2]: absent}
    assert [lacking_files(landed, ds) for ds in DAYS] == [[], [], absent]
    require_complete(landed, DAYS[:2])
    with pytest.raises(LandingError, match=rf"^{DAYS[2]}: {absent[0]}; wait for the delivery, or go on"):
        require_complete(landed, DAYS)


def test_a_day_that_was_purged_in_part_lacks_nothing(landed: Settings) -> None:
    read(landed, DAYS[0], "webshop/other", "again")
    toml = (SHIPPED / "webshop.toml").read_text().replace("[delivery]", "[delivery]\nfiles = 2")
    landed.sources.mkdir()
    (landed.sources / "webshop.toml").write_text(toml)
    assert lacking(landed, DAYS[:1]) == {}


def test_a_home_that_never_read_a_file(home: Settings) -> None:
    (home.landing / "webshop").mkdir()
    assert lacking(home, DAYS) == {}
