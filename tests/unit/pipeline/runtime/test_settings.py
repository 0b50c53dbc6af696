"""Settings and the key that pseudonymises users."""

import hashlib
import hmac
from pathlib import Path

import pytest

import pipeline
from pipeline.runtime.errors import SettingsError
from pipeline.runtime.settings import load_settings
from pipeline.sources.user_key import pseudonym


def test_home_moves_all_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMARK_HOME", str(tmp_path / "a"))
    settings = load_settings()
    folders = (
        settings.landing,
        settings.sources,
        settings.staging,
        settings.warehouse,
        settings.airflow,
        settings.mlflow,
        settings.reports,
    )
    assert all(folder.is_relative_to(tmp_path / "a") for folder in folders)
    assert str(tmp_path / "a") in settings.tracking_uri


@pytest.mark.parametrize("name", ["my home", "a%20b", "what's", "Müller", "a[1]", "a#b", "a?b", "a,b", "a:b"])
def test_a_home_whose_path_an_address_cannot_hold_is_refused(name: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("TIDEMARK_HOME", str(tmp_path / name))
    with pytest.raises(SettingsError, match="TIDEMARK_HOME: expected a path of the letters a to z"):
        load_settings()
    assert not (tmp_path / name).exists()
    (tmp_path / name).mkdir()
    monkeypatch.setenv("TIDEMARK_HOME", str(tmp_path / "plain"))
    with pytest.raises(SettingsError, match="expected a path of the letters a to z"):
        pipeline.open(tmp_path / name)


def test_every_path_that_is_taken_is_its_own_address(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("TIDEMARK_HOME", str(tmp_path / "A-b_c.d~1"))
    home = load_settings().home
    assert home.as_uri() == f"file://{home}"


def test_pseudonym_is_the_first_half_of_the_hmac() -> None:
    whole = hmac.new(b"key", b"webshop:u1", hashlib.sha256).hexdigest()
    assert pseudonym(b"key", "webshop:u1") == whole[:32]
    assert pseudonym(b"other", "webshop:u1") != whole[:32]
