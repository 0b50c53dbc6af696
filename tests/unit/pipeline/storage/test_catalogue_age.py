"""A catalogue that was restored from a backup: told apart from publishers that died or lost a race."""

import os
import shutil
import time
from pathlib import Path

import pytest

from pipeline.commands.status import print_status
from pipeline.runtime.settings import Settings
from pipeline.storage import maintenance
from pipeline.storage.catalog import load_table
from pipeline.storage.catalogue_age import CatalogueError, newer_files
from pipeline.storage.reading import published
from pipeline.tables.registry import ACCOUNTING
from tests.unit.pipeline.rows import publish_accounting

MON, TUE, WED = "2026-03-30", "2026-03-31", "2026-04-01"


@pytest.fixture
def restored(home: Settings) -> Settings:
    """Monday is in the backup that was put back, Tuesday and Wednesday are in files alone."""
    publish_accounting(home, "mon", {MON: 1})
    shutil.copy(home.home / "catalog.db", home.home / "backup.db")
    publish_accounting(home, "tue", {TUE: 2})
    publish_accounting(home, "wed", {WED: 3})
    shutil.copy(home.home / "backup.db", home.home / "catalog.db")
    return home


def files(settings: Settings) -> set[Path]:
    return {path for folder in (settings.staging, settings.warehouse) for path in folder.rglob("*") if path.is_file()}


def make_old(settings: Settings) -> None:
    then = time.time() - 100 * 86_400
    for path in files(settings):
        os.utime(path, (then, then))


def test_a_catalogue_that_knows_every_file_is_not_older(home: Settings) -> None:
    for run, ds in (("mon", MON), ("tue", TUE)):
        publish_accounting(home, run, {ds: 1})
    assert newer_files(home) == {}


def test_maintenance_removes_nothing_under_an_older_catalogue(restored: Settings) -> None:
    make_old(restored)
    before = files(restored)
    with pytest.raises(
        CatalogueError, match=r"found newer ones \(accounting: it knows the state of .*older backup; put"
    ):
        maintenance.maintain(restored)
    assert files(restored) == before


def test_status_says_it(restored: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    print_status(restored)
    [line] = [it for it in capsys.readouterr().out.splitlines() if it.startswith("catalogue: ")]
    assert "put the newer catalogue back, or run those days again" in line


def test_what_was_published_since_the_backup_does_not_hide_it(restored: Settings) -> None:
    for number, ds in enumerate(("2026-04-02", "2026-04-03", "2026-04-04")):
        publish_accounting(restored, f"later-{number}", {ds: 1})
    with pytest.raises(CatalogueError, match=r"accounting: a state of .* is no part of its history"):
        maintenance.maintain(restored)


def test_it_goes_on_when_asked_to_and_then_all_is_well(restored: Settings) -> None:
    publish_accounting(restored, "tue-again", {TUE: 2})
    publish_accounting(restored, "wed-again", {WED: 3})
    make_old(restored)
    assert maintenance.maintain(restored, older_catalogue=True)["accounting"].files > 0
    assert newer_files(restored) == {}
    assert list(published("accounting", restored)) == [MON, TUE, WED]


def test_a_table_that_the_catalogue_never_knew(home: Settings) -> None:
    publish_accounting(home, "mon", {MON: 1})
    (home.home / "catalog.db").unlink()
    assert newer_files(home)["accounting"].startswith("it knows no table, there is one of ")


def test_a_publisher_that_lost_a_race_is_no_newer_catalogue(home: Settings) -> None:
    """It leaves a file that follows one of the history."""
    publish_accounting(home, "mon", {MON: 1})
    iceberg = load_table(home, ACCOUNTING)
    assert iceberg is not None
    current = Path(iceberg.metadata_location.removeprefix("file://"))
    publish_accounting(home, "tue", {TUE: 1})
    iceberg = load_table(home, ACCOUNTING)
    assert iceberg is not None
    winner = Path(iceberg.metadata_location.removeprefix("file://"))
    shutil.copy(winner, winner.with_name(winner.name.replace("-", "-0", 1)))
    assert current.exists()
    assert newer_files(home) == {}
