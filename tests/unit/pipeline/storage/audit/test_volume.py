"""How many rows are usual, and a day that is far from it: held, accepted, or merely reported."""

import pytest

from pipeline.commands import cli
from pipeline.orchestration.step_commands import AUDIT_FAILED
from pipeline.runtime import program
from pipeline.runtime.days import shift
from pipeline.runtime.errors import AuditError, UsageError
from pipeline.runtime.settings import Settings
from pipeline.storage import staging
from pipeline.storage.audit.acceptances import accept, accepted_on
from pipeline.storage.audit.volume import check_volume, landed_before, usual
from tests.unit.pipeline.report.published import publish_rows
from tests.unit.pipeline.staged_factory import SOUND, stage

DAY = "2024-03-06"  # a Wednesday


def past(*rows: int, last: str = "2024-03-05") -> list[tuple[str, int]]:
    """The days up to `last`, oldest first."""
    return [(shift(last, n + 1 - len(rows)), count) for n, count in enumerate(rows)]


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [(1000, "fine"), (700, "fine"), (660, "outside"), (1501, "outside"), (249, "far"), (4001, "far")],
)
def test_rows_of_a_weekday(rows: int, verdict: str) -> None:
    expected = usual(past(*[1000] * 28), DAY)
    assert expected is not None and (expected.center, expected.weekday, expected.days) == (1000, "Wednesday", 4)
    assert expected.judge(rows) == verdict


def test_a_weekend_is_compared_with_weekends() -> None:
    """Weekdays 1,000 rows, Saturdays and Sundays 100: by all days a Saturday would be held."""
    weeks = [100 if n % 7 in (5, 6) else 1000 for n in range(35)]  # from a Monday
    days = past(*weeks, last="2024-03-03")
    saturday, monday = usual(days, "2024-03-09"), usual(days, "2024-03-04")
    assert saturday is not None and saturday.judge(100) == "fine" and saturday.judge(1000) == "far"
    assert monday is not None and monday.judge(1000) == "fine" and monday.judge(100) == "far"


def test_a_short_past_is_compared_by_all_days_and_a_wider_margin() -> None:
    expected = usual(past(*[1000] * 14), DAY)
    assert expected is not None and expected.weekday == ""
    assert [expected.judge(rows) for rows in (1000, 300, 126, 124, 8001)] == [
        "fine",
        "outside",
        "outside",
        "far",
        "far",
    ]


@pytest.mark.parametrize("rows", [[1000] * 13, [49] * 28, [0] * 28, []])
def test_a_new_and_a_small_platform_are_not_judged(rows: list[int]) -> None:
    assert usual(past(*rows), DAY) is None


def test_neither_one_odd_day_nor_a_closed_one_moves_what_is_usual() -> None:
    odd = [1000] * 35
    odd[0], odd[7], odd[14] = 0, 0, 1  # all of them Wednesdays
    expected = usual(past(*odd, *[1000] * 21), DAY)
    assert expected is not None and expected.center == 1000 and expected.judge(1) == "far"


def test_noisy_days_allow_more() -> None:
    calm, noisy = usual(past(*[1000] * 56), DAY), usual(past(*[400, 2500] * 28), DAY)
    assert calm is not None and noisy is not None
    assert calm.judge(300) == "outside" and noisy.judge(300) == "fine"


def publish_past(home: Settings, rows: int = 100, days: int = 14, platform: str = "shop") -> None:
    for n in range(days):
        ds = shift(DAY, n - days)
        count = {"platform": platform, "rows_landed": rows, "events": rows, "duplicates": 0, "quarantined": 0}
        publish_rows(home, "accounting", ds, [{**count, "quarantine_reasons": []}])


def staged(home: Settings, rows: int, facts: dict[str, object] | None = None, run: str = "r1") -> None:
    raw = {**SOUND["raw_events"], "ds": DAY, "platform": "shop"}
    stage(home, "raw_events", {DAY: [{**raw, "source_file": f"{n}"} for n in range(rows)]}, run=run, facts=facts)


def check(home: Settings, run: str = "r1") -> None:
    check_volume(home, run, staging.current(home, "raw_events", run))


@pytest.fixture
def nights(home: Settings) -> Settings:
    publish_past(home)
    return home


def test_a_day_far_outside_is_held_until_somebody_accepts_it(nights: Settings, capsys) -> None:
    staged(nights, 5)
    with pytest.raises(AuditError) as held:
        check(nights)
    assert str(held.value) == (
        f"raw_events ds={DAY} platform=shop: expected 33 to 300 (from 14 days before, median 100) rows, found 5; the "
        "day is held, nothing is published. See whether the delivery is whole: deliver it again, or let it pass with "
        f"`python -m pipeline accept shop --ds {DAY} --reason …`, then release it again"
    )
    made = accept(nights, "shop", DAY, " a strike ")
    assert accepted_on(nights, DAY) == [made] and made.reason == "a strike"
    check(nights)
    assert f"found 5; accepted by {made.by}: a strike" in capsys.readouterr().out


def test_an_acceptance_is_of_one_platform_and_day(nights: Settings) -> None:
    accept(nights, "shop", shift(DAY, 1), "x")
    accept(nights, "bazaar", DAY, "x")
    staged(nights, 5)
    with pytest.raises(AuditError, match="the day is held"):
        check(nights)


def test_a_file_without_a_record_is_held(nights: Settings) -> None:
    staged(nights, 0, {"platforms": {DAY: ["shop"]}})
    with pytest.raises(AuditError, match=r"platform=shop: expected .* rows, found 0;"):
        check(nights)


def test_a_platform_that_is_not_required_holds_nothing_when_it_lands_little(nights: Settings, capsys) -> None:
    staged(nights, 5, {"platforms": {DAY: ["shop"]}, "not_required": ["shop"]})
    check(nights)
    assert "warning: raw_events" in capsys.readouterr().out


def test_mildly_outside_is_a_warning(nights: Settings, capsys) -> None:
    staged(nights, 25)
    check(nights)
    assert capsys.readouterr().out == (
        f"warning: raw_events ds={DAY} platform=shop: expected 33 to 300 (from 14 days before, median 100) rows, "
        "found 25\n"
    )


def test_rows_that_are_published_already_pass_again(nights: Settings) -> None:
    staged(nights, 5)
    row = {"platform": "shop", "rows_landed": 5, "events": 5, "duplicates": 0, "quarantined": 0}
    publish_rows(nights, "accounting", DAY, [{**row, "quarantine_reasons": []}])
    check(nights)
    assert landed_before(nights, [DAY])["shop"][-1] == (DAY, 5)


def test_a_first_night_has_nothing_to_compare_with(home: Settings) -> None:
    staged(home, 5)
    check(home)


def test_the_release_of_a_held_day_ends_like_a_failed_audit(nights: Settings, monkeypatch, capsys) -> None:
    staged(nights, 5)
    assert run(monkeypatch, "release", "--table", "raw_events", "--run", "r1") == AUDIT_FAILED
    assert "the day is held, nothing is published" in capsys.readouterr().err
    nights.sources.mkdir()
    assert run(monkeypatch, "accept", "shopp", "--ds", DAY, "--reason", "x") == 1
    assert "shopp: no source of that name" in capsys.readouterr().err
    assert not run(monkeypatch, "accept", "webshop", "--ds", DAY, "--reason", "a strike")
    assert capsys.readouterr().out.endswith(": a strike\n")


def test_an_acceptance_needs_a_reason(home: Settings) -> None:
    with pytest.raises(UsageError, match="--reason: expected why"):
        accept(home, "shop", DAY, " ")
    accept(home, "shop", DAY, "first")
    accept(home, "shop", DAY, "second")
    assert [it.reason for it in accepted_on(home, DAY)] == ["second"]


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    monkeypatch.setattr("sys.argv", ["pipeline", *arguments])
    with pytest.raises(SystemExit) as end:
        program.run(cli.main)
    return end.value.code


def refused(home: Settings, rows: int, facts: dict[str, object] | None = None, sound: int = 0) -> None:
    raw = {**SOUND["raw_events"], "ds": DAY, "platform": "shop"}
    bad = {**raw, "reject_reason": "bad_encoding", "event_id": None}
    found = [{**(raw if n < sound else bad), "source_file": f"{n}"} for n in range(rows)]
    stage(home, "raw_events", {DAY: found}, run="r1", facts=facts)


def test_a_day_of_which_every_row_is_refused_is_held(home: Settings, capsys) -> None:
    refused(home, 12)
    with pytest.raises(AuditError) as held:
        check(home)
    assert str(held.value).startswith(
        f"raw_events ds={DAY} platform=shop: expected events, found 12 rows that are all refused, most as bad_encoding"
        "; the day is held, nothing is published. See why with `python -m pipeline source check` and correct the source"
    )
    accept(home, "shop", DAY, "test data")
    check(home)
    assert "all refused, most as bad_encoding; accepted by" in capsys.readouterr().out


@pytest.mark.parametrize(("rows", "facts", "sound"), [(9, None, 0), (12, {"not_required": ["shop"]}, 0), (12, None, 1)])
def test_a_few_refused_rows_and_a_day_with_an_event_are_not_held(
    home: Settings, capsys, rows: int, facts: dict[str, object] | None, sound: int
) -> None:
    refused(home, rows, facts, sound)
    check(home)
    assert ("warning: raw_events" in capsys.readouterr().out) == (sound == 0)
