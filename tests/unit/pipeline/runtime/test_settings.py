"""Settings and the key that pseudonymises users."""

import hashlib
import hmac
import stat
from pathlib import Path

import pytest

from pipeline.runtime.errors import SettingsError
from pipeline.runtime.settings import load_settings
from pipeline.sources.user_key import load_user_key, pseudonym


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


def test_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIDEMARK_USER_KEY", raising=False)
    first = load_user_key(tmp_path)
    assert load_user_key(tmp_path) == first
    assert len(first) == 64
    assert stat.S_IMODE((tmp_path / "user.key").stat().st_mode) == 0o600


def test_key_from_the_environment_wins_and_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMARK_USER_KEY", "s3cret")
    assert load_user_key(tmp_path) == b"s3cret"
    assert not list(tmp_path.iterdir())


def test_empty_key_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMARK_USER_KEY", "")
    with pytest.raises(SettingsError, match="TIDEMARK_USER_KEY: expected a secret key"):
        load_user_key(tmp_path)


def test_pseudonym_is_the_first_half_of_the_hmac() -> None:
    whole = hmac.new(b"key", b"webshop:u1", hashlib.sha256).hexdigest()
    assert pseudonym(b"key", "webshop:u1") == whole[:32]
    assert pseudonym(b"other", "webshop:u1") != whole[:32]
