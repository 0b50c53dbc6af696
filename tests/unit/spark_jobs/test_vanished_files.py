"""A file that was read before is either read again or kept, whatever happens to it meanwhile."""

from pathlib import Path

from pipeline.sources.landed_file import LandedFile
from pipeline.sources.source import load_source
from spark_jobs.landing.ledger import entries, vanished
from tests.unit.spark_jobs.landed_shop import TOML

DS = "2026-03-01"


def row(name: str) -> dict:
    return {
        "ds": DS,
        "platform": "shop",
        "path": name,
        "size": 1,
        "modified": 0,
        "sha256": "0" * 64,
        "records": 1,
    }


def test_each_known_file_is_counted_once(tmp_path: Path) -> None:
    toml = tmp_path / "shop.toml"
    toml.write_text(TOML)
    landed = [(load_source(toml), [LandedFile("/there.csv", "there.csv", DS, 1, (), 1, 0, "1" * 64)])]
    known = [row("there.csv"), row("gone.csv")]
    gone = vanished(known, landed)
    assert [it["path"] for it in gone] == ["gone.csv"]
    assert sorted(str(it["path"]) for it in entries(landed, gone)) == ["gone.csv", "there.csv"]
