"""The nightly command up to the point where Airflow takes over."""

import socket

import pytest

from pipeline.airflow.start import alone
from pipeline.commands import cli, nightly, run
from pipeline.commands.nightly import run_night
from pipeline.orchestration.steps import ENCODE
from pipeline.runtime import program
from pipeline.runtime.settings import Settings
from pipeline.sources.landing import find_source, landed_days


@pytest.fixture
def landed(home: Settings) -> Settings:
    (home.landing / "webshop").mkdir()
    for day in range(1, 6):
        (home.landing / "webshop" / f"2026-01-0{day}.jsonl.gz").touch()
    return home


def exit_code(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    """Exit code of `python -m pipeline …`."""
    monkeypatch.setattr("sys.argv", ["pipeline", *arguments])
    with pytest.raises(SystemExit) as end:
        program.run(cli.main)
    return end.value.code


def test_the_latest_landed_day_is_the_default(landed: Settings) -> None:
    assert nightly._day(None, landed) == "2026-01-05"
    assert nightly._day("2026-01-02", landed) == "2026-01-02"


def test_sample_logs_are_made_when_nothing_has_landed(home: Settings, monkeypatch) -> None:
    monkeypatch.setattr(nightly, "SAMPLE_EVENTS", 500)
    monkeypatch.setattr(nightly, "SAMPLE_DAYS", 2)
    assert nightly._day(None, home) == "2026-03-31"
    assert (home.landing / "webshop" / "2026-03-30.jsonl.gz").exists()


@pytest.mark.parametrize(
    ("published", "expected"),
    [
        ([], [("2026-01-01", "2026-01-03")]),
        (["2026-01-01", "2026-01-02"], [("2026-01-03", "2026-01-03")]),
        (["2026-01-01", "2026-01-02", "2026-01-03"], []),
    ],
)
def test_earlier_landed_days_are_loaded_as_one_range(
    landed: Settings, monkeypatch, published: list[str], expected: list[tuple[str, str]]
) -> None:
    loaded = []

    def load(settings, first, last, until, report) -> None:
        loaded.append((first, last))
        assert until is ENCODE

    monkeypatch.setattr(nightly, "load_range", load)
    monkeypatch.setattr(nightly, "loaded", lambda name, settings: dict.fromkeys(published))
    nightly.load_earlier(landed, "2026-01-04")
    assert loaded == expected


def test_an_occupied_port_is_one_clear_line(landed: Settings, monkeypatch, capsys) -> None:
    with socket.create_server(("127.0.0.1", 0)) as occupant:
        port = occupant.getsockname()[1]
        monkeypatch.setenv("TIDEMARK_AIRFLOW_PORT", str(port))
        assert exit_code(monkeypatch, "nightly") == 1
    assert capsys.readouterr().err == (
        f"error: airflow-api: port {port} is occupied by another program; stop it or set "
        "TIDEMARK_AIRFLOW_PORT to a free port\n"
    )


def test_a_day_that_is_none_is_wrong_usage(landed: Settings, monkeypatch, capsys) -> None:
    assert exit_code(monkeypatch, "nightly", "--ds", "yesterday") == 2
    assert "expected YYYY-MM-DD" in capsys.readouterr().err


HALF = "error: 2026-01-05: webshop: expected 2 files that match landing/webshop/2026-01-05.jsonl.gz, found 1"


@pytest.fixture
def half(landed: Settings) -> Settings:
    """The web shop has landed one file of two of every day."""
    toml = find_source(landed, "webshop").file.read_text().replace("[delivery]", "[delivery]\nfiles = 2")
    landed.sources.mkdir()
    (landed.sources / "webshop.toml").write_text(toml)
    return landed


def test_an_incomplete_day_is_refused_and_taken_only_when_asked_for(half: Settings, monkeypatch, capsys) -> None:
    begun = []
    monkeypatch.setattr(nightly, "loaded", lambda name, settings: dict.fromkeys(landed_days(settings)[:-1]))
    monkeypatch.setattr(nightly, "begin", lambda settings, scheduled: begun.append(settings) or 1 / 0)
    assert exit_code(monkeypatch, "nightly") == 1
    said = capsys.readouterr().err
    assert said.startswith(HALF) and "--incomplete takes a part of a day" in said and not begun
    with pytest.raises(ZeroDivisionError):
        run_night(half, None, False, incomplete=True)


def test_a_range_with_an_incomplete_day_is_refused(half: Settings, monkeypatch, capsys) -> None:
    loaded = []
    monkeypatch.setattr(run, "load_range", lambda settings, first, last, *_: loaded.append((first, last)))
    days = ("--from", "2026-01-05", "--to", "2026-01-05")
    assert exit_code(monkeypatch, "run", *days) == 1
    assert capsys.readouterr().err.startswith(HALF) and not loaded
    assert not exit_code(monkeypatch, "run", *days, "--incomplete")
    assert loaded == [("2026-01-05", "2026-01-05")]


def test_a_folder_that_no_source_reads_is_a_warning(landed: Settings, monkeypatch, capsys) -> None:
    (landed.landing / "webshopp").mkdir()
    monkeypatch.setattr(run, "load_range", lambda *arguments: None)
    assert not exit_code(monkeypatch, "run", "--from", "2026-01-05", "--to", "2026-01-05")
    assert capsys.readouterr().err.startswith("warning: landing/webshopp: no source reads this folder")
    assert not exit_code(monkeypatch, "status")
    assert "unread    landing/webshopp: no source reads" in capsys.readouterr().out


def test_the_second_night_on_a_home_is_refused_in_one_line(landed: Settings, monkeypatch, capsys) -> None:
    monkeypatch.setattr(nightly, "require_complete", lambda settings, days: None)
    with alone(landed):
        assert exit_code(monkeypatch, "nightly") == 1
    assert capsys.readouterr().err.endswith(
        f"error: nightly: another night is under way in {landed.home}; wait for its end, or use another home\n"
    )


def test_a_catalogue_that_is_away_is_one_line_without_the_password(landed: Settings, monkeypatch, capsys) -> None:
    monkeypatch.setenv("TIDEMARK_CATALOG_URI", "postgresql+psycopg2://tidemark:a%40secret@127.0.0.1:1/catalog")
    assert exit_code(monkeypatch, "tables") == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("error: catalogue: its database is out of reach (") and "127.0.0.1" in line
    assert line.endswith("start it, or correct TIDEMARK_CATALOG_URI")
    assert "secret" not in line
