"""The file of people: what is wrong is named, and no password is shown."""

from pathlib import Path

import pytest

from pipeline.airflow.sign_ins import EXPERIMENT, MODELS, Person, read_people
from pipeline.runtime.errors import SettingsError
from training.registry import encoders, runs, versions

PASSWORD = "a long password"


def test_what_the_service_account_makes_is_what_training_writes_to() -> None:
    assert (runs.EXPERIMENT, (versions.MODEL, encoders.MODEL)) == (EXPERIMENT, MODELS)


def test_people_are_read(tmp_path: Path) -> None:
    (tmp_path / "users").write_text(f'[ana]\nrole = "viewer"\npassword = "{PASSWORD}"\n')
    assert read_people(tmp_path / "users") == [Person("ana", "viewer", PASSWORD)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f'[ana]\nrole = "boss"\npassword = "{PASSWORD}"', "ana.role: expected one of viewer, engineer, admin"),
        ('[ana]\nrole = "viewer"\npassword = "shown"', "ana.password: expected a password of at least 12 characters"),
        ('[ana]\nrole = "viewer"\npassword = 123456789012', "ana.password: expected .*, found no text"),
        (f'[ana]\npassword = "{PASSWORD}"', "'ana': expected a table with role and password alone"),
        (f'ana = "{PASSWORD}"', "'ana': expected a table with role and password alone"),
        (f'[tidemark]\nrole = "viewer"\npassword = "{PASSWORD}"', "expected the name of a person, found 'tidemark'"),
        (f'[admin]\nrole = "admin"\npassword = "{PASSWORD}"', "expected the name of a person, found 'admin'"),
    ],
)
def test_an_entry_that_is_wrong_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "users").write_text(text)
    with pytest.raises(SettingsError, match=said) as caught:
        read_people(tmp_path / "users")
    assert PASSWORD not in str(caught.value) and "shown" not in str(caught.value)
