"""Views over exactly the files of a day; empty without one, null in columns declared later."""

import dataclasses

from pipeline.report import partitions as p
from pipeline.report.partitions import open_partitions
from pipeline.runtime.settings import Settings
from pipeline.tables.registry import table_named
from pipeline.tables.schema import STRING, Column
from tests.unit.pipeline.report.conftest import BEFORE, NIGHT
from tests.unit.pipeline.report.published import publish_rows, user

COUNT = "SELECT count(*) FROM {s}"


def test_a_day_is_seen_as_it_was_published_last(home: Settings) -> None:
    publish_rows(home, "sessions", NIGHT, [{"session_id": "a"}, {"session_id": "b"}], "r1")
    publish_rows(home, "sessions", NIGHT, [{"session_id": "c"}], "r2")
    publish_rows(home, "sessions", BEFORE, [{"session_id": "d"}] * 3)
    with open_partitions(home) as partitions:
        query = "SELECT session_id FROM {s}"
        assert partitions.rows(query, s=("sessions", NIGHT)) == [("c",)]
        assert partitions.range_rows("SELECT count(*) FROM {days}", "sessions", [BEFORE, NIGHT]) == [(4,)]  # fmt: skip
        assert partitions.before("sessions", NIGHT) == BEFORE
        assert partitions.before("sessions", BEFORE) is None
        assert (partitions.count("sessions", NIGHT), partitions.count("sessions", "x")) == (1, None)


def test_what_is_not_published_is_empty(home: Settings) -> None:
    with open_partitions(home) as partitions:
        assert partitions.rows(COUNT, s=("user_interests", NIGHT)) == [(0,)]
        assert partitions.rows(COUNT, s=("user_interests", None)) == [(0,)]
        unnested = "SELECT sum(i.share) FROM (SELECT unnest(interests_long) AS i FROM {s})"
        assert partitions.rows(unnested, s=("user_interests", NIGHT)) == [(None,)]


def test_a_column_declared_later_is_null(home: Settings, monkeypatch) -> None:
    publish_rows(home, "user_signals", NIGHT, [{"user_id": user(1)}])
    declared = table_named("user_signals")
    later = dataclasses.replace(declared, columns=(*declared.columns, Column("new", STRING, "")))
    monkeypatch.setattr(p, "table_named", lambda name: later)
    with open_partitions(home) as partitions:
        found = partitions.rows("SELECT user_id, new FROM {s}", s=("user_signals", NIGHT))
    assert found == [(user(1), None)]


def test_a_home_with_a_quote_in_its_name(tmp_path) -> None:
    settings = Settings(home=tmp_path / "it's here")
    publish_rows(settings, "sessions", NIGHT, [{}])
    with open_partitions(settings) as partitions:
        assert partitions.rows(COUNT, s=("sessions", NIGHT)) == [(1,)]
