"""What tasks name accounts with: the list of the erased travels with them, the key never does."""

import pickle
import shutil

import pyarrow as pa
import pytest

from pipeline.runtime.errors import SettingsError
from pipeline.runtime.settings import Settings
from pipeline.sources.user_key import load_user_key, pseudonym
from pipeline.storage.suppression import ERASED, suppress
from spark_jobs.landing.pseudonymise import Naming

IDS = pa.array(["shop:anna", "shop:bert"])


def test_a_worker_without_the_home_still_keeps_the_erased_out(home: Settings) -> None:
    key = load_user_key(home.home)
    suppress(home, [pseudonym(key, "shop:anna")])
    sent = pickle.dumps(Naming.of(home.home))
    assert key not in sent
    shutil.rmtree(home.home)
    assert pickle.loads(sent).accounts().named(IDS).to_pylist() == [ERASED, pseudonym(key, "shop:bert")]


def test_a_worker_with_another_key_names_nobody(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    naming = Naming.of(home.home)
    monkeypatch.setenv("TIDEMARK_USER_KEY", "another key, as long as that")
    with pytest.raises(SettingsError, match="expected the driver's key, found another"):
        naming.accounts()
