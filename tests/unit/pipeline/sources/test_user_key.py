"""The key that pseudonymises users: whose it is, how long, who may read it, and that it stays the same."""

import stat
from pathlib import Path

import pytest

from pipeline.runtime.errors import SettingsError
from pipeline.sources.user_key import fingerprint_of, load_user_key, workers_key

KEY = "a key that is long enough"


@pytest.fixture
def no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIDEMARK_USER_KEY", raising=False)


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


@pytest.mark.usefixtures("no_variable")
def test_it_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    first = load_user_key(home)
    assert load_user_key(home) == first
    assert len(first) == 64
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert modes(home) == {"user.key": 0o600, "user.key.fingerprint": 0o600}


def test_the_environment_wins_and_leaves_no_key_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMARK_USER_KEY", KEY)
    assert load_user_key(tmp_path) == KEY.encode()
    assert [path.name for path in tmp_path.iterdir()] == ["user.key.fingerprint"]
    assert KEY not in (tmp_path / "user.key.fingerprint").read_text()


@pytest.mark.parametrize(("key", "found"), [("", "nothing"), ("s3cret", "6"), ("fifteen letters", "15")])
def test_a_short_key_is_refused(key: str, found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMARK_USER_KEY", key)
    with pytest.raises(SettingsError, match=f"TIDEMARK_USER_KEY: expected a secret key of at least 16.*found {found};"):
        load_user_key(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("no_variable")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_key_that_others_may_read_is_refused(mode: int, tmp_path: Path) -> None:
    load_user_key(tmp_path)
    (tmp_path / "user.key").chmod(mode)
    with pytest.raises(SettingsError, match=f"expected mode 600, found {mode:o}"):
        load_user_key(tmp_path)


def test_another_key_than_the_homes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMARK_USER_KEY", KEY)
    load_user_key(tmp_path)
    monkeypatch.setenv("TIDEMARK_USER_KEY", "another key, as long as that")
    with pytest.raises(SettingsError, match="TIDEMARK_USER_KEY: expected the key that the tables"):
        load_user_key(tmp_path)
    monkeypatch.setenv("TIDEMARK_USER_KEY", KEY)
    assert load_user_key(tmp_path) == KEY.encode()


@pytest.mark.usefixtures("no_variable")
@pytest.mark.parametrize("left", ["user.key.fingerprint", "warehouse"])
def test_a_key_that_vanished_is_not_made_anew(left: str, tmp_path: Path) -> None:
    load_user_key(tmp_path)
    (tmp_path / "warehouse").mkdir()
    for path in tmp_path.glob("user.key*"):
        if path.name != left:
            path.unlink()
    with pytest.raises(SettingsError, match=r"user\.key: expected the key that the tables of .* found none"):
        load_user_key(tmp_path)
    assert not (tmp_path / "user.key").exists()


def test_a_key_in_the_environment_of_an_older_home_is_taken_as_its_own(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "warehouse").mkdir()
    monkeypatch.setenv("TIDEMARK_USER_KEY", KEY)
    assert load_user_key(tmp_path) == KEY.encode()
    assert (tmp_path / "user.key.fingerprint").exists()


@pytest.mark.usefixtures("no_variable")
def test_a_worker_makes_no_key(tmp_path: Path) -> None:
    expected = fingerprint_of(KEY.encode())
    for home in (tmp_path, tmp_path / "not mounted"):
        with pytest.raises(
            SettingsError, match=r"user\.key on \S+: expected the key of the home, found none; give the"
        ):
            workers_key(home, expected)
    assert not list(tmp_path.iterdir())


def test_a_worker_has_the_drivers_key_or_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMARK_USER_KEY", KEY)
    expected = fingerprint_of(load_user_key(tmp_path / "home"))
    elsewhere = tmp_path / "a folder of the worker"
    assert workers_key(elsewhere, expected) == KEY.encode()
    monkeypatch.setenv("TIDEMARK_USER_KEY", "another key, as long as that")
    with pytest.raises(SettingsError, match=r"TIDEMARK_USER_KEY on .*: expected the driver's key, found another"):
        workers_key(elsewhere, expected)
    monkeypatch.setenv("TIDEMARK_USER_KEY", "short")
    with pytest.raises(SettingsError, match="at least 16 characters, found 5"):
        workers_key(elsewhere, expected)
    assert not elsewhere.exists()


@pytest.mark.usefixtures("no_variable")
def test_a_worker_reads_the_key_of_a_home_that_it_shares(tmp_path: Path) -> None:
    key = load_user_key(tmp_path)
    assert workers_key(tmp_path, fingerprint_of(key)) == key
    (tmp_path / "user.key").chmod(0o644)
    with pytest.raises(SettingsError, match="expected mode 600"):
        workers_key(tmp_path, fingerprint_of(key))
