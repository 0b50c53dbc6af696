"""The sample as a whole: equal for equal seeds, as large as asked, written chunk by chunk."""

import gzip
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from pipeline.sources.sample import generate, world
from pipeline.sources.sample.formats import EventFormat
from pipeline.sources.sample.rows import Rows
from tests.unit.pipeline.sources.sample.conftest import DAYS, EVENTS, truth


def contents(out: Path) -> dict[str, bytes]:
    return {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        generate(tmp_path / name, events=3_000, days=5, seed=seed)
    first, again, other = (contents(tmp_path / name) for name in "abc")
    assert first == again
    assert first.keys() == other.keys()
    assert first["webshop/2026-03-31.jsonl.gz"] != other["webshop/2026-03-31.jsonl.gz"]


@pytest.mark.parametrize(("events", "days", "within"), [(10_000, 1, 0.1), (10_000, 7, 0.03), (20_000, 40, 0.03)])
def test_the_number_of_rows_is_near_the_wish(tmp_path: Path, events: int, days: int, within: float) -> None:
    """The first day rests on a guess of the rows per visit; later days make up for it."""
    generate(tmp_path, events=events, days=days, seed=1)
    assert truth(tmp_path, "accounting")["rows_landed"].sum() == pytest.approx(events, rel=within)


def test_every_day_has_its_files(sample: Path) -> None:
    for platform, ending in (("webshop", "jsonl.gz"), ("marketplace", "csv.gz")):
        for folder in (sample / platform, sample / platform / "items"):
            names = sorted(p.name for p in folder.glob("*.gz"))
            assert len(names) == DAYS
            assert names[0] == f"2026-01-31.{ending}"
            assert names[-1] == f"2026-03-31.{ending}"


def test_the_last_day_can_be_chosen(tmp_path: Path) -> None:
    generate(tmp_path, events=500, days=2, seed=1, last_day=date(2025, 10, 26))
    names = sorted(p.name for p in (tmp_path / "webshop").glob("*.gz"))
    assert names == ["2025-10-25.jsonl.gz", "2025-10-26.jsonl.gz"]


def test_weekends_are_busier_than_tuesdays(sample: Path) -> None:
    days = truth(sample, "accounting").group_by("ds").agg(pl.col("events").sum())
    weekday = days.with_columns(weekday=pl.col("ds").str.to_date().dt.weekday())
    mean = dict(weekday.group_by("weekday").agg(pl.col("events").mean()).iter_rows())
    assert mean[6] > 1.1 * mean[2]


def test_a_day_is_written_in_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    def encode(self: EventFormat, rows: Rows, real=EventFormat.encode) -> bytes:
        sizes.append(len(rows))
        return real(self, rows)

    monkeypatch.setattr(world, "CHUNK_VISITS", 50)
    monkeypatch.setattr(EventFormat, "encode", encode)
    generate(tmp_path, events=20_000, days=2, seed=1)
    assert sum(sizes) == pytest.approx(20_000, rel=0.05)
    assert len(sizes) > 40
    assert sorted(sizes)[len(sizes) // 2] < 800  # 50 visits of about 8 rows


def test_identity_joins_only_people_with_two_ids(sample: Path) -> None:
    identity = pl.read_csv(sample / "identity.csv", schema_overrides={"raw_id": pl.String})
    assert identity.columns == ["platform", "raw_id", "person_id"]
    assert identity.group_by("person_id").len()["len"].unique().to_list() == [2]
    people = truth(sample, "users").filter(~pl.col("is_bot"))
    both = people.drop_nulls(["webshop_id", "marketplace_id"])
    assert both.height / people.height == pytest.approx(0.25, abs=0.04)
    assert set(identity["person_id"]) == set(both["person_id"])


def test_raw_ids_are_unique(sample: Path) -> None:
    users = truth(sample, "users")
    for name in ("webshop_id", "marketplace_id"):
        ids = users[name].drop_nulls()
        assert ids.n_unique() == len(ids) > 100


def test_gzip_headers_hold_no_time_and_no_name(sample: Path) -> None:
    header = (sample / "webshop" / "2026-03-31.jsonl.gz").read_bytes()[:10]
    assert header[3] == 0  # no file name
    assert header[4:8] == bytes(4)  # no modification time


def test_csv_files_start_with_their_header(sample: Path) -> None:
    with gzip.open(sample / "marketplace" / "2026-03-31.csv.gz", "rt") as file:
        assert file.readline().startswith("buyer,event,occurred_at,listing,amount_pence")


@pytest.mark.parametrize(("events", "days"), [(0, 5), (10, 0)])
def test_nothing_to_generate_is_refused(tmp_path: Path, events: int, days: int) -> None:
    with pytest.raises(ValueError, match="expected events >= 1 and days >= 1, found"):
        generate(tmp_path, events=events, days=days, seed=1)


def test_the_sample_is_as_large_as_the_fixture_says(sample: Path) -> None:
    assert truth(sample, "accounting")["rows_landed"].sum() == pytest.approx(EVENTS, rel=0.02)
